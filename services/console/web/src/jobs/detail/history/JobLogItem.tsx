import { useQuery } from "@tanstack/react-query";
import { ChevronRight, OctagonAlert, Pencil } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { AgentName } from "@/api/AgentName";
import { useAgentNames } from "@/api/agents";
import { ProblemState } from "@/api/ProblemState";
import type { JobLog } from "@/api/types";
import { explainCode } from "@/jobs/detail/errors/advice";
import { entryQuery, formatCode, hasRequest, hasResponse, hasResult, isFailure, isLate } from "@/jobs/model/logs";
import { lookOf } from "@/jobs/model/status";
import { cn } from "@/lib/cn";
import { formatDuration, formatExactTime, formatTimeOfDay } from "@/lib/format";
import { JsonTree } from "@/results/views/JsonTree";
import { Skeleton } from "@/ui/display/states";
import { toIntlZone, useZone } from "@/ui/display/time";

/** An edit leaves the status as it was, so it does not look like it. */
const EDITED_LOOK = { word: "Edited", icon: Pencil, ink: "text-muted" };

type JobLogItemProps = {
  log: JobLog;
  /** Entry before it, from which its duration is counted. */
  before?: JobLog;
  isLast?: boolean;
  /** Whether it takes the focus, since somebody was led to it. */
  isWanted?: boolean;
};

/** Entry of a job's log, with its request and response on demand. */
export function JobLogItem({ log, before, isLast = false, isWanted = false }: JobLogItemProps) {
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isWanted) item.current?.focus(); // the browser scrolls to it
  }, [isWanted]);
  const { word, icon, ink } = log.kind === "edited" ? EDITED_LOOK : lookOf(log.status);
  const { nameAllIn } = useAgentNames();
  const message = log.message ?? "";
  const Icon = isFailure(log) ? OctagonAlert : icon;
  return (
    <li
      ref={item}
      data-version={log.version}
      tabIndex={isWanted ? -1 : undefined}
      className={cn("relative flex gap-3 pb-3", isWanted && "rounded bg-running-tint outline-none")}
    >
      {!isLast && <span aria-hidden className="absolute top-5 bottom-0 left-[7px] border-l" />}
      <Icon aria-hidden size={15} className={cn("relative mt-0.5 shrink-0", !isWanted && "bg-surface", ink)} />
      <div className="min-w-0 grow">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <LogTime at={log.created_at} />
          <span className={cn("font-medium", ink)}>{word}</span>
          {log.code === "rejudged" && (
            <span className="rounded bg-pending-tint px-1 text-xs/5 text-pending">judged again</span>
          )}
          {isLate(log) && <span className="font-medium">it came late, is kept, and is not judged</span>}
          <bdi title={message} className="min-w-0 wrap-anywhere">
            {nameAllIn(message)}
          </bdi>
        </p>
        <LogFacts log={log} before={before} />
        {hasRequest(log) && <LogBody name="Request" log={log} read={readRequest} />}
        {hasResponse(log) && <LogBody name={hasResult(log) ? "Result" : "Response"} log={log} read={readResponse} />}
      </div>
    </li>
  );
}

/** Code, agent, attempt and time of an entry, as far as it has them. */
function LogFacts({ log, before }: Pick<JobLogItemProps, "log" | "before">) {
  const took = before ? Date.parse(log.created_at) - Date.parse(before.created_at) : null;
  return (
    <p className="flex flex-wrap gap-x-3 text-xs text-muted">
      {log.code && (
        <code title={explainCode(log.code)} className={cn("font-mono", isFailure(log) && "text-failed")}>
          {formatCode(log)}
        </code>
      )}
      {log.agent_id && <AgentName id={log.agent_id} className="min-w-0" />}
      {log.attempt != null && <span>attempt {log.attempt}</span>}
      {isFailure(log) && (log.spent_calls ?? 0) > 0 && (
        <span>
          call {log.spent_calls} of {log.max_calls}
        </span>
      )}
      {log.handle && (
        <span title="The agent's own name for the work" className="wrap-anywhere">
          work <bdi className="font-mono">{log.handle}</bdi>
        </span>
      )}
      {took !== null && took > 0 && <span>{formatDuration(took)} after the previous entry</span>}
    </p>
  );
}

function LogTime({ at }: { at: string }) {
  const [zone] = useZone();
  return (
    <time
      dateTime={at}
      title={formatExactTime(Date.parse(at), toIntlZone(zone))}
      className="font-mono text-xs text-muted"
    >
      {formatTimeOfDay(Date.parse(at), toIntlZone(zone))}
    </time>
  );
}

type LogBodyProps = { name: string; log: JobLog; read: (log: JobLog) => unknown };

const readRequest = ({ request, payload, before, after }: JobLog) => request ?? (before ? { before, after } : payload);
const readResponse = ({ result, verdict, partial }: JobLog) => (verdict ? { result, verdict } : (result ?? partial));

/** Body of a log entry, read and drawn only when it is opened. */
function LogBody({ name, ...of }: LogBodyProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <div>
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        className="inline-flex min-h-6 items-center gap-1 text-xs text-muted hover:text-text"
      >
        <ChevronRight aria-hidden size={12} className={cn("transition-transform", isOpen && "rotate-90")} />
        {name}
      </button>
      {isOpen && (
        <div className="mt-1 rounded border bg-sunken p-2">
          <LogBodyContent name={name} {...of} />
        </div>
      )}
    </div>
  );
}

function LogBodyContent({ name, log, read }: LogBodyProps) {
  const entry = useQuery(entryQuery(log.job_id, log.version));
  if (entry.isPending) return <Skeleton className="h-6" />;
  const value = entry.data && read(entry.data);
  if (value == null) return entry.error ? <ProblemState error={entry.error} /> : <p>It is empty.</p>;
  return <JsonTree value={value} label={name} />;
}
