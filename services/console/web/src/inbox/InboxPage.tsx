import { Link } from "@tanstack/react-router";
import { useTitle } from "@/lib/use-title";

/** Inbox: what needs somebody, and what happened since. */
export function InboxPage() {
  useTitle("Inbox");
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <h1 className="text-xl font-semibold">Inbox</h1>
      <Link to="/jobs" search={{}} className="text-accent underline">
        All jobs
      </Link>
    </div>
  );
}
