import type { JobCounts, JobStatus } from "@/api/types";
import { JOB_STATUSES, STATUS_LOOKS } from "@/jobs/model/status";
import { cn } from "@/lib/cn";
import { formatCount } from "@/lib/format";

type StatusCountsProps = {
  /** Counts by status; undefined until they are read. */
  counts: JobCounts | undefined;
  chosen: readonly JobStatus[];
  onToggle: (status: JobStatus) => void;
};

/** Number of jobs by status; each is a filter. */
export function StatusCounts({ counts, chosen, onToggle }: StatusCountsProps) {
  return (
    <div role="group" aria-label="Filter by status" className="flex items-center gap-1 overflow-x-auto py-1">
      {JOB_STATUSES.map((status) => {
        const { word, icon: Icon, ink } = STATUS_LOOKS[status];
        const isChosen = chosen.includes(status);
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
            <span className="min-w-[1ch] font-medium">{counts && formatCappedCount(counts, status)}</span>
            <span className="text-muted">{word.toLowerCase()}</span>
          </button>
        );
      })}
      {counts?.searched != null && (
        <span className="shrink-0 pl-1 text-xs text-muted">
          among the newest {formatCount(counts.searched)} at most
        </span>
      )}
    </div>
  );
}

function formatCappedCount({ counts, capped_at: cap }: JobCounts, status: JobStatus): string {
  const number = counts[status] ?? 0;
  return number >= cap ? `${formatCount(cap)}+` : formatCount(number);
}
