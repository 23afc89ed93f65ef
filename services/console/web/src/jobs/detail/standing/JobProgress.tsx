import { CircleSlash } from "lucide-react";
import type { Job, JobLog, Waiting } from "@/api/types";
import { derivePhase, findRequestTime, type Phase } from "@/jobs/model/phase";
import type { Submission } from "@/jobs/model/submissions";
import { currentReasons } from "@/jobs/model/waiting";
import { formatTimes, measureTimes } from "@/jobs/model/waterfall";
import { useNow } from "@/lib/clock";
import { formatPercent, pluralize } from "@/lib/format";
import { Countdown, Duration } from "@/ui/display/duration";
import { ExactTime, Time } from "@/ui/display/time";
import { WhyItWaits } from "./WhyItWaits";

/** Id of the part of the page that tells where the time went. */
export const HISTORY_ID = "history";

type JobProgressProps = {
  job: Job;
  logs: readonly JobLog[];
  /** Why it waits, where that is known. */
  waiting?: Waiting;
  /** Whether the error after which it waits to be called again is shown. */
  hasError?: boolean;
};

/** For so long it may wait, in ms, before that is a reason of its own: most turns come sooner. */
const SHORT_WAIT_MS = 1_000;

/** Where a job stands that runs or waits: its phase, and why it does not go on. Nothing of another. */
export function JobProgress({ job, logs, waiting, hasError = false }: JobProgressProps) {
  const now = useNow();
  const phase = derivePhase(job, logs, now);
  const isShort = phase !== null && waiting?.since != null && now - Date.parse(waiting.since) < SHORT_WAIT_MS;
  const reasons = currentReasons(job, waiting).filter(
    ({ code }) => !isShort && !(hasError && code === "retry_backoff"),
  );
  if (!phase && reasons.length === 0) return null;
  return (
    <div className="space-y-2 pb-3">
      {waiting && reasons.length > 0 && <WhyItWaits waiting={waiting} reasons={reasons} />}
      {phase && <RunningProgress job={job} logs={logs} phase={phase} isExplained={reasons.length > 0} />}
    </div>
  );
}

/** How the last execution went; or that there was none, or that it was cancelled. */
export function LastExecution({ job, last }: { job: Job; last?: Submission }) {
  const cancelled = job.cancelled ? last?.logs.findLast(({ kind }) => kind === "cancelled") : undefined;
  if (!last?.endedAt) return <h2 className="pb-3 text-lg font-semibold">Not executed yet</h2>;
  return (
    <>
      {job.cancelled && (
        <h2 className="flex gap-2 text-lg font-semibold">
          <CircleSlash aria-hidden size={20} className="mt-0.5 shrink-0 text-pending" />
          <bdi className="min-w-0 wrap-anywhere first-letter:uppercase">{cancelled?.message ?? "Cancelled"}</bdi>
        </h2>
      )}
      <p className="flex flex-wrap gap-x-3 pb-1 text-xs text-muted">
        <span className="text-text">{last.name}</span>
        <a href={`#${HISTORY_ID}`} title="Show where the time went" className="underline hover:text-text">
          {formatTimes(measureTimes(last.logs, Date.parse(last.endedAt)))}
        </a>
        {last.calls > 0 && <span>{pluralize(last.calls, "call")}</span>}
        <Time at={last.endedAt} before="ended " />
      </p>
    </>
  );
}

type RunningProgressProps = Pick<JobProgressProps, "job" | "logs"> & {
  phase: Phase;
  /** Whether the reason why it waits is shown: in place of the word of its phase. */
  isExplained: boolean;
};

/** Progress of a job that runs or waits: phase, call, times, and what the agent reported of this call. */
function RunningProgress({ job, logs, phase, isExplained }: RunningProgressProps) {
  const { word, since, until, share, highest = 0, message } = phase;
  const call = phase.call === undefined ? null : `call ${phase.call}${phase.calls ? ` of ${phase.calls}` : ""}`;
  const { max_submissions: submissions, deadline_s: deadline } = job.policy ?? {};
  const requestedAt = findRequestTime(job, logs);
  const end = requestedAt && deadline ? new Date(Date.parse(requestedAt) + deadline * 1_000).toISOString() : null;
  const progressText = [share === undefined ? null : formatPercent(share), word, call].filter(Boolean).join(", ");
  return (
    <div className="space-y-1">
      {!isExplained && (
        <h2 className="text-lg font-semibold text-running first-letter:uppercase">
          {word} {until && <Countdown to={until} />}
        </h2>
      )}
      <div
        role="progressbar"
        aria-label="Progress"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share === undefined ? undefined : Math.round(share * 100)}
        aria-valuetext={progressText}
        className="h-1.5 overflow-hidden rounded-full bg-running-tint"
      >
        <Bar phase={phase} />
      </div>
      <p className="flex flex-wrap gap-x-3 text-xs text-muted">
        {call && <span>{call}</span>}
        {share !== undefined && (
          <span>
            {formatPercent(share)}
            {share < highest && `, after ${formatPercent(highest)}: the agent says less than before`}
          </span>
        )}
        <span>
          submission {job.submission}
          {submissions ? ` of ${submissions}` : ""}
        </span>
        {since && (
          <span>
            for <Duration from={since} />
          </span>
        )}
        {requestedAt && since && Date.parse(since) - Date.parse(requestedAt) >= 1_000 && (
          <span>
            <Duration from={requestedAt} /> in all
          </span>
        )}
        {end && (
          <span>
            must be done by <ExactTime at={end} /> (<Countdown to={end} />)
          </span>
        )}
        {message && <bdi className="min-w-0 text-text wrap-anywhere">{message}</bdi>}
      </p>
    </div>
  );
}

function Bar({ phase: { share, isWaiting } }: { phase: Phase }) {
  if (share === undefined) return isWaiting ? null : <div className="progress-unknown h-full" />;
  return (
    <div className="h-full bg-running transition-[width]" style={{ width: formatPercent(share).replace(" ", "") }} />
  );
}
