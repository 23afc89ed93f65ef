import { useAgentNames } from "@/api/agents";
import type { Job, JobLog, Waiting } from "@/api/types";
import { derivePhase, findRequestTime, type Phase } from "@/jobs/model/phase";
import type { Submission } from "@/jobs/model/submissions";
import { ReasonLine, WhyButton } from "@/jobs/model/WhyItWaits";
import { currentReasons, describeCause } from "@/jobs/model/waiting";
import { formatTimes, measureTimes } from "@/jobs/model/waterfall";
import { useNow } from "@/lib/clock";
import { cn } from "@/lib/cn";
import { formatPercent, pluralize } from "@/lib/format";
import { Countdown, Duration } from "@/ui/display/duration";
import { ExactTime, Time } from "@/ui/display/time";

/** Id of the part of the page that tells where the time went. */
export const HISTORY_ID = "history";

type JobProgressProps = {
  job: Job;
  logs: readonly JobLog[];
  /** The newest execution, whether it has ended or not. */
  last?: Submission;
  /** Why it waits, where that is known. */
  waiting?: Waiting;
};

// Why a job waits is read after the job itself: its line has its place, and on a touch screen the height of its button.
const PLACE = "min-h-8.5 text-xs text-muted max-lg:min-h-15 pointer-coarse:min-h-15 pointer-coarse:max-lg:min-h-20";
const REASON = "flex min-h-6 min-w-0 items-center gap-x-3 pointer-coarse:min-h-11";

/** Where a job stands: its phase while it runs or waits, else how its last execution went. It keeps its height. */
export function JobProgress({ job, logs, last, waiting }: JobProgressProps) {
  const phase = derivePhase(job, logs, useNow());
  const reasons = currentReasons(job, waiting);
  if (phase) return <RunningProgress job={job} logs={logs} phase={phase} waiting={waiting} />;
  if (!waiting || !reasons[0]) return <LastExecution last={last} />;
  return (
    <div className={cn(PLACE, "flex items-end max-lg:items-start")}>
      <p className={REASON}>
        <span className="min-w-0 truncate font-medium text-text">
          <ReasonLine reason={reasons[0]} />
        </span>
        <WhyButton waiting={waiting} reasons={reasons} />
      </p>
    </div>
  );
}

/** How the last execution went, in the place of the progress of one. */
function LastExecution({ last }: { last?: Submission }) {
  return (
    <p className={cn(PLACE, "flex flex-wrap content-end items-end gap-x-3 max-lg:content-start")}>
      {last?.endedAt ? (
        <>
          <span className="font-medium text-text">{last.name}</span>
          <a href={`#${HISTORY_ID}`} title="Show where the time went" className="underline hover:text-text">
            {formatTimes(measureTimes(last.logs, Date.parse(last.endedAt)))}
          </a>
          {last.calls > 0 && <span>{pluralize(last.calls, "call")}</span>}
          <Time at={last.endedAt} before="ended " />
        </>
      ) : (
        "Not executed yet"
      )}
    </p>
  );
}

/** Progress of a job that runs or waits: phase, call, times, and what the agent reported of this call. */
function RunningProgress({ job, logs, phase, waiting }: JobProgressProps & { phase: Phase }) {
  const { since, until, share, highest = 0, message } = phase;
  const { nameOf } = useAgentNames();
  const reasons = currentReasons(job, waiting);
  const reason = reasons[0];
  const word = reason ? describeCause(reason, nameOf) : phase.word;
  const call = phase.call === undefined ? null : `call ${phase.call}${phase.calls ? ` of ${phase.calls}` : ""}`;
  const { max_submissions: submissions, deadline_s: deadline } = job.policy ?? {};
  const requestedAt = findRequestTime(job, logs);
  const end = requestedAt && deadline ? new Date(Date.parse(requestedAt) + deadline * 1_000).toISOString() : null;
  const progressText = [share === undefined ? null : formatPercent(share), word, call].filter(Boolean).join(", ");
  return (
    <div className={cn(PLACE, "space-y-1")}>
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
      <p className="flex min-h-6 items-center gap-x-3 max-lg:flex-wrap lg:overflow-hidden lg:whitespace-nowrap">
        <span className={cn(REASON, "max-lg:w-full")}>
          <span className="min-w-0 truncate font-medium text-running">
            {reason ? <ReasonLine reason={reason} /> : word}
          </span>
          {waiting && reason && <WhyButton waiting={waiting} reasons={reasons} />}
          {until && !reason && <Countdown to={until} />}
        </span>
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
        {message && (
          <bdi className="min-w-0 max-lg:wrap-anywhere lg:truncate" title={message}>
            {message}
          </bdi>
        )}
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
