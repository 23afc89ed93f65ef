import { type ReactNode, use, useRef } from "react";
import { AgentName } from "@/api/AgentName";
import type { Job } from "@/api/types";
import type { Column } from "@/jobs/fields";
import { useReasons } from "@/jobs/list/state/use-waiting";
import { ReasonLine } from "@/jobs/model/ReasonLine";
import { cn } from "@/lib/cn";
import { Checkbox } from "@/ui/controls/field";
import { Time } from "@/ui/display/time";
import { Cell, formatSubmission, JobLink, Mismatch, MismatchText, Status } from "./columns";

type JobRowProps = {
  job: Job;
  index: number;
  columns: readonly Column[];
  isCard: boolean;
  /** Which filter the job no longer passes, in words. */
  mismatch: string | null;
  isCurrent: boolean;
  isSelected: boolean;
  onChoose: (id: string, on: boolean, isRange: boolean) => void;
};

/** Row of a job, as columns or as a card. */
export function JobRow({ job, index, columns, isCard, mismatch, isCurrent, isSelected, onChoose }: JobRowProps) {
  const isRange = useRef(false);
  return (
    <tr
      aria-rowindex={index + 2}
      aria-current={isCurrent || undefined}
      aria-selected={isSelected}
      className={cn(
        isCard ? "h-18" : "group h-10",
        // The link's focus ring is drawn around the row, since a truncated title would cut it.
        "has-[a[data-row]:focus-visible]:outline-2 has-[a[data-row]:focus-visible]:-outline-offset-2",
        "border-b outline-accent hover:bg-sunken aria-current:bg-sunken aria-selected:bg-running-tint",
        mismatch && "text-muted italic grayscale",
      )}
    >
      <td className="w-10 px-3">
        <Checkbox
          data-row={job.id}
          aria-label={`Select ${job.title}`}
          checked={isSelected}
          onClick={(event) => {
            isRange.current = event.shiftKey;
          }}
          onChange={(event) => onChoose(job.id, event.target.checked, isRange.current)}
        />
      </td>
      <Mismatch value={mismatch}>
        {isCard ? (
          <td colSpan={columns.length} className="px-2">
            <Flash version={job.version}>
              <JobCard job={job} />
            </Flash>
          </td>
        ) : (
          columns.map((column) => (
            <td key={column.id} className={cn("truncate px-2", column.isNumber && "text-right")}>
              <Flash version={column.id === "status" ? job.version : 0}>
                <Cell job={job} column={column} />
              </Flash>
            </td>
          ))
        )}
      </Mismatch>
    </tr>
  );
}

/** Tint that fades when something has changed since the row was drawn; the focus is not lost. */
function Flash({ version, children }: { version: number; children: ReactNode }) {
  const first = useRef(version);
  const hasChanged = version !== first.current;
  return (
    <span className="relative block truncate">
      {hasChanged && <span key={version} aria-hidden className="changed-row absolute inset-0" />}
      <span className="relative block truncate">{children}</span>
    </span>
  );
}

/** Job as a card, where there is no room for columns. */
function JobCard({ job }: { job: Job }) {
  const mismatch = use(Mismatch);
  const [reason] = useReasons(job);
  return (
    <span className="block min-w-0 space-y-1">
      <JobLink job={job} className="block" />
      <span className="flex items-center gap-2 text-xs text-muted">
        <Status job={job} />
        <span className="min-w-0 truncate">
          {mismatch === null && reason && <ReasonLine reason={reason} />}
          {mismatch !== null && <MismatchText />}
          {mismatch === null && !reason && (
            <>
              {job.agent_id ? <AgentName id={job.agent_id} /> : "no agent"} · submission {formatSubmission(job)}
            </>
          )}
        </span>
        <Time at={job.updated_at} className="ml-auto shrink-0" />
      </span>
    </span>
  );
}
