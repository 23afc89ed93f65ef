import { OctagonAlert } from "lucide-react";
import type { Job, JobLog } from "@/api/types";
import { cn } from "@/lib/cn";
import { Countdown } from "@/ui/duration";
import { ExactTime } from "@/ui/time";
import { adviceOn } from "./advice";
import { lastCall, nextAttempt } from "./answers";

/** The log that says what is wrong now; of a job that has gone on since, none. */
function currentError(job: Job, logs: readonly JobLog[]): JobLog | undefined {
  const mine = logs.filter((log) => log.execution_id === job.execution_id);
  const last = mine.findLast((log) => log.code != null && log.status !== "CANCELLED");
  if (!last) return undefined;
  if (job.status === "FAILED") return last;
  const hasGoneOn = mine.some((log) => log.version > last.version && log.code == null);
  return job.status === "IN_PROGRESS" && !hasGoneOn ? last : undefined;
}

/** What went wrong: the code, the sentence, which attempt it was, when the next comes, and what to do. */
export function JobErrorPanel({ job, logs }: { job: Job; logs: readonly JobLog[] }) {
  const log = currentError(job, logs);
  if (!log) return null;
  const isOver = job.status === "FAILED";
  const { means, todo } = adviceOn(log.code);
  const call = lastCall(log);
  const next = isOver ? undefined : nextAttempt(log);
  const ink = isOver ? "text-failed" : "text-resubmit";
  return (
    <section
      aria-label="Error"
      className={cn("rounded border p-4", isOver ? "border-failed bg-failed-tint" : "border-resubmit bg-resubmit-tint")}
    >
      <h2 className={cn("flex flex-wrap items-center gap-2 font-semibold", ink)}>
        <OctagonAlert aria-hidden size={16} />
        {means}
        <code className="font-mono text-xs font-normal">{log.code}</code>
      </h2>
      <dl className="mt-2 grid grid-cols-[max-content_1fr] gap-x-4 gap-y-1">
        {call && (
          <>
            <dt>Tried</dt>
            <dd>
              call {call.call} of {call.calls}
              {log.attempt ? `, attempt ${log.attempt}` : ""}
              {log.agent_id ? ` with ${log.agent_id}` : ""}
            </dd>
          </>
        )}
        <dt>Next attempt</dt>
        <dd>
          {next ? (
            <>
              call {next.call} <Countdown to={next.at} />, <ExactTime at={next.at} />
            </>
          ) : isOver ? (
            "none: it ended here"
          ) : (
            "as soon as a worker takes it"
          )}
        </dd>
        <dt>What to do</dt>
        <dd>{isOver ? todo : "Nothing: it is tried again by itself."}</dd>
        {log.message && (
          <>
            <dt>In its words</dt>
            <dd className="min-w-0">
              <pre className="font-mono text-xs whitespace-pre-wrap break-words">{log.message}</pre>
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}
