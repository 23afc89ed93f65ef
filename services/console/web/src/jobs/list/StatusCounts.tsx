import type { Job, JobStatus } from "@/api/types";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { JOB_STATUSES, LOOKS } from "../status";

type StatusCountsProps = {
  jobs: readonly Job[];
  /** Whether there are more jobs than those: then a count is at least what it says. */
  hasMore: boolean;
  chosen: readonly JobStatus[];
  onToggle: (status: JobStatus) => void;
};

/** How many jobs stand where; each is a filter. */
export function StatusCounts({ jobs, hasMore, chosen, onToggle }: StatusCountsProps) {
  return (
    <div role="group" aria-label="Filter by status" className="flex gap-1 overflow-x-auto py-1">
      {JOB_STATUSES.map((status) => {
        const { word, icon: Icon, ink } = LOOKS[status];
        const number = jobs.filter((job) => job.status === status).length;
        const isChosen = chosen.includes(status);
        const isUnknown = chosen.length > 0 && !isChosen;
        return (
          <button
            key={status}
            type="button"
            aria-pressed={isChosen}
            onClick={() => onToggle(status)}
            className={cn(
              "inline-flex h-8 shrink-0 items-center gap-1.5 rounded border px-2 pointer-coarse:h-11",
              isChosen ? "border-accent bg-running-tint" : "border-transparent hover:bg-sunken",
            )}
          >
            <Icon aria-hidden size={14} className={ink} />
            <span className="font-medium">{isUnknown ? "" : `${count(number)}${hasMore ? "+" : ""}`}</span>
            <span className="text-muted">{word.toLowerCase()}</span>
          </button>
        );
      })}
    </div>
  );
}
