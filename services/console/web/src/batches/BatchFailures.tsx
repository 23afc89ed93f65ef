import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { toApiError } from "@/api/problem";
import type { Batch, Job, JobStatus } from "@/api/types";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { formatCode, formatReason } from "@/jobs/model/logs";
import { pluralize, shortenId } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { ErrorState, Skeleton } from "@/ui/display/states";
import { hasEnded } from "./batch-state";
import { countNotMet, failuresQuery, NOT_MET } from "./queries";

const REFUSED_SHOWN = 20;

/** The jobs of a batch that did not end well: where each stands, and by what code. */
export function BatchFailures({ batch }: { batch: Batch }) {
  const failures = useQuery(failuresQuery(batch));
  const error = failures.error && !failures.data ? toApiError(failures.error) : null;
  const jobs = failures.data?.items ?? [];
  const number = countNotMet(batch);
  return (
    <section aria-label="Failures" className="space-y-2">
      <h2 className="text-lg font-semibold">Not met, or failed</h2>
      {error && (
        <ErrorState
          title={error.title}
          detail={error.detail}
          code={error.code}
          onRetry={() => void failures.refetch()}
        />
      )}
      {failures.isPending && number > 0 && <Skeleton className="h-20" />}
      {jobs.length === 0 && number === 0 && <p className="text-muted">None{hasEnded(batch) ? "." : " so far."}</p>}
      {failures.data && jobs.length === 0 && number > 0 && (
        <p className="text-muted">{pluralize(number, "job")}, being read.</p>
      )}
      {jobs.length > 0 && (
        <ul className="divide-y border-y">
          {jobs.map((job) => (
            <Failure key={job.id} job={job} />
          ))}
        </ul>
      )}
      {number > jobs.length && jobs.length > 0 && (
        <Link to="/" search={{ batch: batch.id, status: NOT_MET as JobStatus[] }} className="text-accent underline">
          All {pluralize(number, "job")}
        </Link>
      )}
    </section>
  );
}

function Failure({ job }: { job: Job }) {
  return (
    <li className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 py-1.5">
      <JobStatusBadge status={job.status} isLive={job.live} />
      <Link to="/jobs/$id" params={{ id: job.id }} className="min-w-0 truncate font-medium hover:underline">
        {job.title}
      </Link>
      {job.last_log?.code && <code className="font-mono text-xs text-failed">{formatCode(job.last_log)}</code>}
      {job.last_log?.message && <bdi className="min-w-0 truncate text-muted">{formatReason(job.last_log)}</bdi>}
    </li>
  );
}

/** The jobs that were not executed at all, and why. */
export function BatchRefusals({ batch }: { batch: Batch }) {
  const [isAll, showAll] = useState(false);
  const refused = (batch.items ?? []).filter((item) => !item.accepted && item.code);
  if (refused.length === 0) return null;
  return (
    <section aria-label="Refusals" className="space-y-2">
      <h2 className="text-lg font-semibold">Refused</h2>
      <p className="text-muted">These were not executed: their status, or a limit, did not let them be.</p>
      <ul className="divide-y border-y">
        {(isAll ? refused : refused.slice(0, REFUSED_SHOWN)).map((item) => (
          <li key={item.job_id} className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 py-1.5">
            <Link
              to="/jobs/$id"
              params={{ id: item.job_id }}
              title={item.job_id}
              className="font-mono text-xs hover:underline"
            >
              {shortenId(item.job_id)}
            </Link>
            <code className="font-mono text-xs text-failed">{item.code}</code>
            <span className="min-w-0 break-words text-muted">{item.message}</span>
          </li>
        ))}
      </ul>
      {!isAll && refused.length > REFUSED_SHOWN && (
        <Button size="small" onClick={() => showAll(true)}>
          All {pluralize(refused.length, "refusal")}
        </Button>
      )}
    </section>
  );
}
