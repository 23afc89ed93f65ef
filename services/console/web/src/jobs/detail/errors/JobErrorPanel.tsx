import { OctagonAlert } from "lucide-react";
import { AgentName } from "@/api/AgentName";
import { useAgentNames } from "@/api/agents";
import type { Job, JobLog } from "@/api/types";
import { formatCode, formatReason, isFailure } from "@/jobs/model/logs";
import { findLastStep } from "@/jobs/model/phase";
import { cn } from "@/lib/cn";
import { Countdown } from "@/ui/display/duration";
import { ExactTime } from "@/ui/display/time";
import { findAdvice } from "./advice";

const hasStopped = (job: Job) => job.status !== "IN_PROGRESS" && !job.live;

/** Find the log entry of the error that holds now; none when the job has gone on since. */
export function findCurrentError(job: Job, logs: readonly JobLog[]): JobLog | undefined {
  if (hasStopped(job)) {
    const last = logs.findLast(({ kind }) => kind !== "edited" && kind !== "result" && kind !== "spent");
    return last && isStopping(last) ? last : undefined;
  }
  const last = findLastStep(logs.filter((log) => log.execution_id === job.execution_id));
  return job.status === "IN_PROGRESS" && last?.code && isFailure(last) ? last : undefined;
}

/** Whether an entry is a failure, or says why nothing follows by itself. */
const isStopping = (log: JobLog) =>
  log.code != null &&
  (isFailure(log) ||
    log.kind === "declined" ||
    (log.kind === "not_met" && log.code !== "verdict_reused" && log.code !== "rejudged"));

/** Panel of a job's current error: meaning, code, call, next attempt and advice. */
export function JobErrorPanel({ job, logs }: { job: Job; logs: readonly JobLog[] }) {
  const { nameAllIn } = useAgentNames();
  const log = findCurrentError(job, logs);
  if (!log) return null;
  const isOver = hasStopped(job);
  const isTried = job.status === "FAILED" || job.status === "IN_PROGRESS";
  const { means, todo } = findAdvice(log.code);
  const ink = job.status === "FAILED" ? "text-failed" : "text-resubmit";
  const { next_attempt_at: next, spent_calls: spent, max_calls: calls } = log;
  return (
    <section
      aria-label="Error"
      className={cn(
        "mb-3 rounded border p-4",
        job.status === "FAILED" ? "border-failed bg-failed-tint" : "border-resubmit bg-resubmit-tint",
      )}
    >
      <h2 className={cn("flex gap-2 font-semibold", ink)}>
        <OctagonAlert aria-hidden size={16} className="mt-0.5 shrink-0" />
        <span className="min-w-0">
          {means} <code className="ml-1 font-mono text-xs font-normal">{formatCode(log)}</code>
        </span>
      </h2>
      <dl className="mt-2 grid gap-x-4 gap-y-1 sm:grid-cols-[max-content_1fr] max-sm:[&_dt]:font-medium">
        {isTried && spent != null && spent > 0 && (
          <>
            <dt>Tried</dt>
            <dd>
              call {spent} of {calls}
              {log.attempt ? `, attempt ${log.attempt}` : ""}
              {log.agent_id && (
                <>
                  {" "}
                  with <AgentName id={log.agent_id} />
                </>
              )}
            </dd>
          </>
        )}
        {isTried && (
          <>
            <dt>Next attempt</dt>
            <dd>
              {isOver ? (
                "none: it ended here"
              ) : next ? (
                <>
                  call {(spent ?? 0) + 1} <Countdown to={next} />, <ExactTime at={next} />
                </>
              ) : (
                "as soon as a worker takes it"
              )}
            </dd>
          </>
        )}
        <dt>What to do</dt>
        <dd>{isOver ? todo : "Nothing: it is tried again by itself."}</dd>
        {log.message && (
          <>
            <dt>Message</dt>
            <dd className="min-w-0">
              <pre dir="auto" className="font-mono text-xs whitespace-pre-wrap wrap-anywhere">
                {nameAllIn(formatReason(log))}
              </pre>
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}
