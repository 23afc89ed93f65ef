import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { useRefusal } from "@/api/me";
import { ReadError } from "@/api/ProblemState";
import { toApiError } from "@/api/problem";
import { useActionRefusal } from "@/jobs/actions/mutations";
import { JobHeader } from "@/jobs/detail/header/JobHeader";
import { HistoryTabs } from "@/jobs/detail/history/HistoryTabs";
import { JobInputs, ONCE_READ } from "@/jobs/detail/result/JobInputs";
import { ResultSection } from "@/jobs/detail/result/ResultSection";
import { HISTORY_ID } from "@/jobs/detail/standing/JobProgress";
import { findNeighbours, recallSearch, rememberOpened } from "@/jobs/list/state/list-memory";
import { ACTION_VERBS, ACTIONS, type Action } from "@/jobs/model/status";
import { cn } from "@/lib/cn";
import { loadPart } from "@/lib/load-part";
import { useOfferCommands } from "@/lib/palette-commands";
import { useShortcuts } from "@/lib/shortcuts";
import { useTitle } from "@/lib/use-title";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/display/states";
import { useJobReads } from "./use-job-reads";
import { useRestoredScroll } from "./use-restored-scroll";

/** Read when it is needed: few look for what was removed. */
const RemovedJob = lazy(() => loadPart(() => import("@/jobs/detail/removed/RemovedJob")));
/** HTTP statuses for an id that no job has, or that is not valid. */
const NOT_FOUND_STATUSES = [404, 422];

/** Page of one job: status, actions, verdict, result, history and inputs. */
export function JobPage({ id }: { id: string }) {
  const { job, logs, waiting, isPending, newest, known, submissions } = useJobReads(id);
  useTitle(job.data?.title ?? id);
  const [openByKey, setOpenByKey] = useState<Action | null>(null);
  const [isWide, setWide] = useState(false);
  const narrow = () => setWide(false);
  const navigate = useNavigate();
  const { before, after } = findNeighbours(id);
  const go = (to: string | undefined) => to && void navigate({ to: "/jobs/$id", params: { id: to } });
  useShortcuts({
    e: () => setOpenByKey("execute"),
    f: () => setWide(!isWide),
    Escape: narrow,
    j: () => go(after),
    k: () => go(before),
    u: () => void navigate({ to: "/jobs", search: recallSearch() }),
  });
  useEffect(() => rememberOpened(id), [id]);
  const duplicate = () => void navigate({ to: "/new", search: { from: id } });
  const refuse = useRefusal();
  const explainRefusal = useActionRefusal();
  const offered = ACTIONS.map((action) => [
    `${ACTION_VERBS[action]} this job`,
    job.data && explainRefusal(action, job.data) === null ? () => setOpenByKey(action) : null,
  ]);
  const duplicates = job.data && refuse("create_job") === null;
  useOfferCommands({ ...Object.fromEntries(offered), "Duplicate this job": duplicates ? duplicate : null });
  const isRemoved = job.error !== null && toApiError(job.error).code === "job_removed";
  const isGone = job.error !== null && NOT_FOUND_STATUSES.includes(toApiError(job.error).status);
  const wasThere = useRestoredScroll();
  return (
    <div className={cn("mx-auto space-y-4 overflow-x-clip p-4", isWide ? "max-w-none" : "max-w-7xl")}>
      <nav aria-label="Around this job" className="flex flex-wrap gap-4 text-muted">
        <Link to="/jobs" search={recallSearch()} className="inline-flex min-h-6 items-center hover:text-text">
          <ChevronLeft aria-hidden size={14} /> Jobs
        </Link>
        {before && <NeighbourLink id={before}>previous (k)</NeighbourLink>}
        {after && <NeighbourLink id={after}>next (j)</NeighbourLink>}
      </nav>
      {isRemoved && (
        <Suspense fallback={<JobPlaceholder />}>
          <RemovedJob id={id} error={job.error} />
        </Suspense>
      )}
      {!job.data && !isGone && !isRemoved && <h1 className="sr-only">Job {id}</h1>}
      {isGone && <JobNotFound id={id} error={job.error} wasThere={job.data !== undefined} />}
      {job.error && !job.data && !isGone && !isRemoved && (
        <ReadError error={job.error} onRetry={() => void job.refetch()} />
      )}
      {isPending && !isRemoved && <JobPlaceholder />}
      {job.data && !isPending && !isRemoved && (
        <>
          <div hidden={isWide}>
            <JobHeader
              job={job.data}
              openByKey={openByKey}
              onOpenedByKey={() => setOpenByKey(null)}
              onDuplicate={duplicate}
            />
          </div>
          {isWide && (
            <h1 className="text-xl font-semibold wrap-anywhere">
              <bdi>{job.data.title}</bdi>
            </h1>
          )}
          <ResultSection
            job={job.data}
            logs={known}
            submissions={submissions}
            waiting={waiting.data}
            isPending={logs.isPending}
            isWide={isWide}
            onWide={() => setWide(!isWide)}
            wasThere={wasThere}
          />
          <JobInputs job={job.data} isHidden={isWide} />
          <section id={HISTORY_ID} aria-label="History" hidden={isWide} className={ONCE_READ}>
            <h2 className="pb-2 text-lg font-semibold">History</h2>
            {logs.error && !logs.data && <ReadError error={logs.error} onRetry={() => void logs.refetch()} />}
            {logs.isPending && <Skeleton className="h-40" />}
            {logs.data && <HistoryTabs job={job.data} newest={newest} known={known} submissions={submissions} />}
          </section>
        </>
      )}
    </div>
  );
}

function NeighbourLink({ id, children }: { id: string; children: string }) {
  return (
    <Link to="/jobs/$id" params={{ id }} className="inline-flex min-h-6 items-center hover:text-text">
      {children}
    </Link>
  );
}

function JobNotFound({ id, error, wasThere }: { id: string; error: Error | null; wasThere: boolean }) {
  if (wasThere) {
    return <ErrorState title="This job is no longer there" detail="What is shown is what was last known of it." />;
  }
  return (
    <EmptyState
      title="There is no such job"
      isPage
      action={
        <Link to="/jobs" search={recallSearch()} className="text-accent hover:underline">
          Back to the jobs
        </Link>
      }
    >
      <p className="wrap-anywhere">
        No job has the id <bdi className="font-mono">{id}</bdi>; it may have been mistyped or cut.
      </p>
      <p className="text-xs wrap-anywhere">{toApiError(error).detail}</p>
    </EmptyState>
  );
}

function JobPlaceholder() {
  return (
    <Loading what="the job">
      <div className="space-y-4">
        <Skeleton className="h-44" />
        <div className="grid gap-6 lg:grid-cols-2">
          <Skeleton className="h-64" />
          <Skeleton className="h-64" />
        </div>
      </div>
    </Loading>
  );
}
