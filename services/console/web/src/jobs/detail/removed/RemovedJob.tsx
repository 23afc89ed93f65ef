import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ArchiveX } from "lucide-react";
import { ReadError } from "@/api/ProblemState";
import { toApiError } from "@/api/problem";
import { recallSearch } from "@/jobs/list/state/list-memory";
import { parseJobSearch } from "@/jobs/model/job-search";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { ArchivedJob } from "./ArchivedJob";
import { archivedQuery } from "./queries";

/** Page of a job that was removed: when, by which rule and with which end; and, when it is asked for, what the archive has. */
export default function RemovedJob({ id, error }: { id: string; error: Error }) {
  useTitle(`Removed: ${id}`);
  const isAsked = parseJobSearch(useSearch({ strict: false })).archived !== undefined;
  const navigate = useNavigate();
  const archived = useQuery({ ...archivedQuery(id), enabled: isAsked });
  const show = () =>
    void navigate({ to: ".", search: ((before: object) => ({ ...before, archived: "yes" })) as never, replace: true });
  if (archived.isLoading) {
    return (
      <Loading what="it from the archive">
        <p className="pb-2 text-muted">It is read from the archive, which takes a while.</p>
        <Skeleton className="h-44" />
      </Loading>
    );
  }
  if (archived.data) return <ArchivedJob removed={archived.data} />;
  return (
    <div className="space-y-4">
      <h1 className="flex gap-2 text-xl font-semibold">
        <ArchiveX aria-hidden size={20} className="mt-1 shrink-0 text-pending" /> This job was removed
      </h1>
      <p className="wrap-anywhere first-letter:uppercase">{toApiError(error).detail}.</p>
      <p className="text-muted">
        Its id stays taken, and nothing of it is here any more. What it was is in the archive.
      </p>
      <div className="flex flex-wrap items-center gap-3">
        {!archived.error && (
          <Button kind="primary" onClick={show}>
            Show from the archive
          </Button>
        )}
        <Link to="/jobs" search={recallSearch()} className="text-accent hover:underline">
          Back to the jobs
        </Link>
      </div>
      {archived.error && <ReadError error={archived.error} onRetry={() => void archived.refetch()} />}
    </div>
  );
}
