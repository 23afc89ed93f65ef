import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { cn } from "@/lib/cn";
import { Duration } from "@/ui/duration";
import { JobLogItem } from "../JobLogItem";
import { JobStatusBadge } from "../JobStatusBadge";
import { metCount } from "./answers";
import { type Submission, titleOf } from "./submissions";

type SubmissionGroupProps = { submission: Submission; isOpen: boolean; newestFirst: boolean };

/** One submission of the history: who worked on it, for how long, how it ended, and all that was recorded. */
export function SubmissionGroup({ submission, isOpen: isOpenAtFirst, newestFirst }: SubmissionGroupProps) {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const { logs, agent, startedAt, endedAt, outcome, verdict, number } = submission;
  const shown = newestFirst ? logs.toReversed() : logs;
  return (
    <section className="border-t py-2 first:border-t-0">
      <h3>
        <button
          type="button"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
          className="flex min-h-8 w-full flex-wrap items-center gap-x-3 gap-y-1 text-left"
        >
          <ChevronRight aria-hidden size={14} className={cn("transition-transform", isOpen && "rotate-90")} />
          <span className="font-semibold">{titleOf(submission)}</span>
          {agent && <span>{agent}</span>}
          {number !== null && <JobStatusBadge status={outcome} isLive={endedAt === null} />}
          {verdict && <span>{metCount(verdict.criteria)}</span>}
          {number !== null && (
            <span className="text-muted">
              <Duration from={startedAt} to={endedAt} />
            </span>
          )}
        </button>
      </h3>
      {isOpen && (
        <ol className="mt-2 pl-5">
          {shown.map((log, index) => (
            <JobLogItem
              key={log.version}
              log={log}
              before={logs[logs.indexOf(log) - 1]}
              isLast={index === shown.length - 1}
            />
          ))}
        </ol>
      )}
    </section>
  );
}
