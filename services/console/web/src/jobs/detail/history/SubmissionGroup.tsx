import { ChevronRight } from "lucide-react";
import { useEffect, useState } from "react";
import { AgentName } from "@/api/AgentName";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import type { Submission } from "@/jobs/model/submissions";
import { formatTimes, measureTimes } from "@/jobs/model/waterfall";
import { useNow } from "@/lib/clock";
import { cn } from "@/lib/cn";
import { formatMoney, formatNextPortion, pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { Time } from "@/ui/display/time";
import { JobLogItem } from "./JobLogItem";

type SubmissionGroupProps = {
  submission: Submission;
  /** Whether it began before the entries that were read. */
  isCut: boolean;
  isOpen: boolean;
  newestFirst: boolean;
  /** Version of the entry that is to be shown; it may be of another group. */
  wanted: number | null;
};

const ENTRIES_SHOWN = 100;

/** Submission in the history: agent, duration, outcome and log entries. */
export function SubmissionGroup(props: SubmissionGroupProps) {
  const { submission, isCut, newestFirst, wanted } = props;
  const [isOpen, setOpen] = useState(props.isOpen);
  const [limit, setLimit] = useState(ENTRIES_SHOWN);
  const { logs, agent, startedAt, endedAt, outcome, reason, number, calls, costUsd, isLate } = submission;
  const shown = (newestFirst ? logs.toReversed() : logs).slice(0, limit);
  const left = logs.length - shown.length;
  const place = wanted === null ? -1 : logs.findIndex(({ version }) => version === wanted);
  useEffect(() => {
    if (place < 0) return;
    setOpen(true);
    const shownBefore = newestFirst ? logs.length - place : place + 1;
    setLimit((now) => Math.max(now, Math.ceil(shownBefore / ENTRIES_SHOWN) * ENTRIES_SHOWN));
  }, [place, newestFirst, logs.length]);
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
          <span className="font-semibold">{submission.name}</span>
          {agent && <AgentName id={agent} className="min-w-0" />}
          {number !== null && !isLate && <JobStatusBadge status={outcome} isLive={endedAt === null} />}
          {number !== null && !isCut && !isLate && (
            <>
              <SubmissionTimes submission={submission} />
              {calls > 0 && <span className="text-muted">{pluralize(calls, "call")}</span>}
              {costUsd > 0 && <span className="text-muted">{formatMoney(costUsd)}</span>}
            </>
          )}
          {endedAt && <Time at={startedAt} before="began " className="text-muted" />}
          {reason && <bdi className="min-w-0 truncate text-muted">{reason}</bdi>}
        </button>
      </h3>
      {isOpen && (
        <ol className="mt-2 pl-5">
          {shown.map((log, index) => (
            <JobLogItem
              key={log.version}
              log={log}
              before={logs[newestFirst ? logs.length - index - 2 : index - 1]}
              isLast={index === shown.length - 1}
              isWanted={log.version === wanted}
            />
          ))}
          {left > 0 && (
            <li>
              <Button size="small" onClick={() => setLimit(limit + ENTRIES_SHOWN)}>
                Show {formatNextPortion(left, ENTRIES_SHOWN)} more
              </Button>
            </li>
          )}
        </ol>
      )}
    </section>
  );
}

/** Where the time of an execution went; of one that runs, until now. */
function SubmissionTimes({ submission: { logs, endedAt } }: { submission: Submission }) {
  const now = useNow();
  return <span className="text-muted">{formatTimes(measureTimes(logs, endedAt ? Date.parse(endedAt) : now))}</span>;
}
