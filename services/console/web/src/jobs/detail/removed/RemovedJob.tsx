import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ArchiveX } from "lucide-react";
import { Fragment, type ReactNode } from "react";
import { ReadError } from "@/api/ProblemState";
import { toApiError } from "@/api/problem";
import type { JobLog } from "@/api/types";
import { recallSearch } from "@/jobs/list/state/list-memory";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { parseJobSearch } from "@/jobs/model/job-search";
import { formatCount } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { ThingId } from "@/ui/display/ThingId";
import { ExactTime } from "@/ui/display/time";
import { ArchivedJob } from "./ArchivedJob";
import { archivedQuery, removalQuery } from "./queries";

/** Page of a job that was removed: when, by which rule and with which end; and, when it is asked for, what the archive has. */
export default function RemovedJob({ id, error }: { id: string; error: Error }) {
  useTitle(`Removed: ${id}`);
  const isAsked = parseJobSearch(useSearch({ strict: false })).archived !== undefined;
  const navigate = useNavigate();
  const removal = useQuery(removalQuery(id));
  const archived = useQuery({ ...archivedQuery(id), enabled: isAsked });
  const show = () =>
    void navigate({ to: ".", search: ((before: object) => ({ ...before, archived: "yes" })) as never, replace: true });
  if (removal.isPending || (isAsked && archived.isLoading)) {
    return (
      <Loading what={isAsked ? "it from the archive, which takes a while" : "what stays of it"}>
        <Skeleton className="h-44" />
        {isAsked && <p className="pt-2 text-muted">It is read from the archive, which takes a while.</p>}
      </Loading>
    );
  }
  if (archived.data) return <ArchivedJob removed={archived.data} removal={removal.data ?? undefined} />;
  return (
    <div className="space-y-4">
      <h1 className="flex gap-2 text-xl font-semibold">
        <ArchiveX aria-hidden size={20} className="mt-1 shrink-0 text-pending" /> This job was removed
      </h1>
      {removal.data ? <Removal entry={removal.data} /> : <p className="wrap-anywhere">{toApiError(error).detail}</p>}
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

/** What stays of a job that was removed. */
function Removal({ entry }: { entry: JobLog }) {
  const { removed, actor, message } = entry;
  const facts: [name: string, value: ReactNode][] = [
    ["Removed", <ExactTime key="at" at={entry.created_at} />],
    ["By", actor && <bdi key="by">{actor}</bdi>],
    ["Why", message && <bdi key="why">{message}</bdi>],
    ["Its end", <JobStatusBadge key="end" status={entry.job_status} />],
    ["Ended", removed && <ExactTime key="ended" at={removed.ended_at} />],
    ["Tenant", removed && <bdi key="tenant">{removed.tenant}</bdi>],
    ["Executions", removed && formatCount(removed.executions.length)],
    ["Id", <ThingId key="id" id={entry.job_id} />],
  ];
  return (
    <dl className="grid grid-cols-[max-content_1fr] gap-x-4 gap-y-1">
      {facts.map(
        ([name, value]) =>
          value && (
            <Fragment key={name}>
              <dt className="text-muted">{name}</dt>
              <dd className="wrap-anywhere">{value}</dd>
            </Fragment>
          ),
      )}
    </dl>
  );
}
