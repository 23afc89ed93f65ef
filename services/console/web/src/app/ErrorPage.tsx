import { Link } from "@tanstack/react-router";
import { ReadError } from "@/api/ProblemState";
import { EmptyState } from "@/ui/display/states";

/** Page shown when a component throws: the error, and a button that loads the page anew. */
export function ErrorPage({ error }: { error: unknown }) {
  return (
    <div className="p-4">
      <ReadError error={error} onRetry={() => location.reload()} />
    </div>
  );
}

export function NotFound() {
  return (
    <EmptyState
      title="There is no such page"
      isPage
      action={
        <Link to="/" className="text-accent underline">
          To the inbox
        </Link>
      }
    />
  );
}
