import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { JobLog } from "@/api/types";
import { cn } from "@/lib/cn";
import { duration, timeOfDay } from "@/lib/format";
import { JsonTree } from "@/results/JsonTree";
import { useZone, zoneName } from "@/ui/time";
import { hasResult, metCount, verdictOf } from "./detail/answers";
import { LOOKS } from "./status";

type JobLogItemProps = {
  log: JobLog;
  /** The one before it, from which its duration is told. */
  before?: JobLog;
  isLast?: boolean;
};

/** One recorded transition, with what was asked and answered on demand. */
export function JobLogItem({ log, before, isLast = false }: JobLogItemProps) {
  const { word, icon: Icon, ink } = LOOKS[log.status];
  const verdict = verdictOf(log);
  const took = before ? Date.parse(log.created_at) - Date.parse(before.created_at) : null;
  return (
    <li data-version={log.version} className="relative flex gap-3 pb-3">
      {!isLast && <span aria-hidden className="absolute top-5 bottom-0 left-[7px] border-l" />}
      <Icon aria-hidden size={15} className={cn("relative mt-0.5 shrink-0 bg-surface", ink)} />
      <div className="min-w-0 grow">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <Moment at={log.created_at} />
          <span className={cn("font-medium", ink)}>{word}</span>
          <span className="min-w-0 break-words">{log.message}</span>
        </p>
        <p className="flex flex-wrap gap-x-3 text-xs text-muted">
          {log.code && <code className="font-mono text-failed">{log.code}</code>}
          {log.agent_id && <span>{log.agent_id}</span>}
          {log.attempt != null && <span>attempt {log.attempt}</span>}
          {took !== null && <span>after {duration(took)}</span>}
          {verdict && (
            <span className={verdict.is_valid ? "text-completed" : "text-failed"}>
              verdict: {verdict.is_valid ? "accepted" : "not accepted"}, {metCount(verdict.criteria)}
            </span>
          )}
        </p>
        <Body name="Request" value={log.request_payload} />
        <Body name={hasResult(log) ? "Result" : "Response"} value={log.response_payload} />
      </div>
    </li>
  );
}

function Moment({ at }: { at: string }) {
  const [zone] = useZone();
  return (
    <time dateTime={at} title={at} className="font-mono text-xs text-muted">
      {timeOfDay(Date.parse(at), zoneName(zone))}
    </time>
  );
}

/** A body, drawn only once somebody asks for it. */
function Body({ name, value }: { name: string; value: unknown }) {
  const [isOpen, setOpen] = useState(false);
  if (value === null || value === undefined) return null;
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
          <JsonTree value={value} label={name} />
        </div>
      )}
    </div>
  );
}
