import type { JobCounts, JobLogStatus, JobStatus } from "@/api/types";
import { JOB_STATUSES, STATUS_LOOKS } from "@/jobs/model/status";
import { cn } from "@/lib/cn";
import { formatCount } from "@/lib/format";

type StatusCountsProps = {
  /** Counts by status; undefined until they are read. */
  counts: JobCounts | undefined;
  chosen: readonly JobStatus[];
  onToggle: (status: JobStatus) => void;
  /** Whether only cancelled jobs are shown. */
  isCancelled: boolean;
  onCancelled: () => void;
};

/** Number of jobs by status; each is a filter. */
export function StatusCounts({ counts, chosen, onToggle, isCancelled, onCancelled }: StatusCountsProps) {
  return (
    <div role="group" aria-label="Filter by status" className="flex min-w-0 items-center gap-1 overflow-x-auto py-1">
      {JOB_STATUSES.map((status) => (
        <Count
          key={status}
          status={status}
          number={counts && formatCappedCount(counts, status)}
          isChosen={chosen.includes(status)}
          onToggle={() => onToggle(status)}
        />
      ))}
      <Count
        status="CANCELLED"
        number={counts && formatCapped(counts.cancelled, counts.capped_at)}
        isChosen={isCancelled}
        onToggle={onCancelled}
      />
      {counts?.searched != null && (
        <span className="shrink-0 pl-1 text-xs text-muted">
          among the newest {formatCount(counts.searched)} at most
        </span>
      )}
    </div>
  );
}

type CountProps = { status: JobLogStatus; number: string | undefined; isChosen: boolean; onToggle: () => void };

function Count({ status, number, isChosen, onToggle }: CountProps) {
  const { word, icon: Icon, ink } = STATUS_LOOKS[status];
  return (
    <button
      type="button"
      aria-pressed={isChosen}
      onClick={onToggle}
      className={cn(
        "inline-flex h-8 shrink-0 items-center gap-1.5 rounded border px-2 pointer-coarse:h-11",
        isChosen ? "border-accent bg-running-tint" : "border-transparent hover:bg-sunken",
      )}
    >
      <Icon aria-hidden size={14} className={ink} />
      <span className="min-w-[1ch] font-medium">{number}</span>
      <span className="text-muted">{word.toLowerCase()}</span>
    </button>
  );
}

/** Count those at a status; cancelled jobs wait for nothing, so that they are left out of the assigned ones. */
function formatCappedCount({ counts, cancelled, capped_at: cap }: JobCounts, status: JobStatus): string {
  const number = counts[status] ?? 0;
  if (status !== "ASSIGNED") return formatCapped(number, cap);
  const others = formatCount(Math.max(0, number - cancelled));
  return number >= cap ? `${others}+` : others;
}

const formatCapped = (number: number, cap: number) => (number >= cap ? `${formatCount(cap)}+` : formatCount(number));
