import type { Job, JobLog } from "@/api/types";
import { derivePhase, findRequestTime, type Phase } from "@/jobs/model/phase";
import { useNow } from "@/lib/clock";
import { formatPercent } from "@/lib/format";
import { Countdown, Duration } from "@/ui/display/duration";
import { ExactTime } from "@/ui/display/time";

type JobProgressProps = { job: Job; logs: readonly JobLog[] };

/** Progress of a job that runs or waits: phase, call, times, and what the agent reported of this call. */
export function JobProgress({ job, logs }: JobProgressProps) {
  const phase = derivePhase(job, logs, useNow());
  if (!phase) return null;
  const { word, since, until, share, highest = 0, message } = phase;
  const call = phase.call === undefined ? null : `call ${phase.call}${phase.calls ? ` of ${phase.calls}` : ""}`;
  const { max_submissions: submissions, deadline_s: deadline } = job.policy ?? {};
  const requestedAt = findRequestTime(job, logs);
  const end = requestedAt && deadline ? new Date(Date.parse(requestedAt) + deadline * 1_000).toISOString() : null;
  const progressText = [share === undefined ? null : formatPercent(share), word, call].filter(Boolean).join(", ");
  return (
    <div className="space-y-1">
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
        <span className="font-medium text-running">{word}</span>
        {until && <Countdown to={until} />}
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
          <bdi className="min-w-0 wrap-anywhere" title={message}>
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
