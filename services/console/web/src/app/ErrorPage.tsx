import { Link } from "@tanstack/react-router";
import { toApiError } from "@/api/problem";
import { EmptyState, ErrorState } from "@/ui/display/states";

/** Page shown when a component throws: the error, and a button that loads the page anew. */
export function ErrorPage({ error }: { error: unknown }) {
  const { title, detail, code } = toApiError(error);
  return (
    <div className="p-4">
      <ErrorState title={title} detail={detail} code={code} onRetry={() => location.reload()} />
    </div>
  );
}

export function NotFound() {
  return (
    <EmptyState
      title="There is no such page"
      isPage
      action={
        <Link to="/" search={{}} className="text-accent underline">
          To the jobs
        </Link>
      }
    />
  );
}
