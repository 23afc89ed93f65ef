import type { Job, JobLog } from "@/api/types";
import { percent } from "@/lib/format";
import { Duration } from "@/ui/duration";
import { hasResult } from "./logs";

type JobProgressProps = { job: Job; logs: readonly JobLog[] };

/** How far a job is while it runs: its phase, attempt and time, and the share its agent told of. */
export function JobProgress({ job, logs }: JobProgressProps) {
  if (job.status !== "IN_PROGRESS") return null;
  const mine = logs.filter((log) => log.execution_id === job.execution_id);
  const isJudging = mine.some((log) => isResult(log));
  const phase = isJudging ? "judging" : "the agent works";
  const attempt = mine.findLast((log) => log.attempt != null)?.attempt ?? job.attempt;
  const started = mine.find((log) => log.status === "IN_PROGRESS")?.created_at;
  const share = job.progress ?? undefined;
  const { max_submissions: submissions, max_attempts: attempts, deadline_s: deadline } = job.policy ?? {};
  return (
    <div className="space-y-1">
      <div
        role="progressbar"
        aria-label="Progress"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share === undefined ? undefined : Math.round(share * 100)}
        aria-valuetext={share === undefined ? phase : `${percent(share)}, ${phase}`}
        className="h-1.5 overflow-hidden rounded-full bg-running-tint"
      >
        <div
          className={share === undefined ? "progress-unknown h-full" : "h-full bg-running transition-[width]"}
          style={share === undefined ? undefined : { width: percent(share).replace(" ", "") }}
        />
      </div>
      <p className="flex flex-wrap gap-x-3 text-xs text-muted">
        <span className="font-medium text-running">{phase}</span>
        {share !== undefined && <span>{percent(share)}</span>}
        <span>
          submission {job.submission}
          {submissions ? ` of ${submissions}` : ""}
        </span>
        {attempt && (
          <span>
            attempt {attempt}
            {attempts ? ` of ${attempts}` : ""}
          </span>
        )}
        {started && (
          <span>
            <Duration from={started} />
            {deadline ? ` of ${deadline} s` : ""}
          </span>
        )}
        {job.progress_message && <span className="truncate">{job.progress_message}</span>}
      </p>
    </div>
  );
}

/** As it is read, or as an event tells it. */
const isResult = (log: JobLog) => hasResult(log) || log.message === "the agent answered";
