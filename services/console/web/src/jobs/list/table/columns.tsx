import { Link } from "@tanstack/react-router";
import { createContext, type ReactNode, use } from "react";
import { AgentName } from "@/api/AgentName";
import { useAgentNames } from "@/api/agents";
import type { Job } from "@/api/types";
import { usePendingAction } from "@/jobs/actions/mutations";
import type { Column, ColumnId, Kind } from "@/jobs/fields";
import { useReasons } from "@/jobs/list/state/use-waiting";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { formatCode, formatReason } from "@/jobs/model/logs";
import { ReasonLine } from "@/jobs/model/ReasonLine";
import { cn } from "@/lib/cn";
import { formatDuration, formatMoney, formatPercent, shortenId } from "@/lib/format";
import { CopyButton } from "@/ui/controls/copy-button";
import { Time } from "@/ui/display/time";

const BOX_PX = 40;

/** Sum the minimum widths of columns in px; with less room, the table scrolls. */
export function sumMinWidths(shown: readonly Column[]): number {
  return shown.reduce((sum, { px, minPx = 0 }) => sum + (px ?? minPx), BOX_PX);
}

/** Context of a row: which filter its job no longer passes. */
export const Mismatch = createContext<string | null>(null);

/** Reason why a row is dimmed, beside its title. */
export function MismatchText() {
  const reason = use(Mismatch);
  return reason && <span title={reason}>no longer matches: {reason}</span>;
}

/** Cells that show more than the value of their field. */
const CELLS: Partial<Record<ColumnId, (props: { job: Job }) => ReactNode>> = {
  status: Status,
  title: Title,
  last: LastEntry,
  submission: ({ job }) => formatSubmission(job),
};

/** Cell of a job in a column. */
export function Cell({ job, column: { id, key, kind } }: { job: Job; column: Column }) {
  const Own = CELLS[id];
  return Own ? <Own job={job} /> : <Value kind={kind} value={job[key]} />;
}

function Value({ kind, value }: { kind: Kind; value: unknown }): ReactNode {
  if (value == null) return "–";
  const text = String(value);
  switch (kind) {
    case "agent":
      return <AgentName id={text} />;
    case "time":
      return <Time at={text} />;
    case "money":
      return Number(value) > 0 ? formatMoney(text) : "–"; // nothing told is not free
    case "span":
      return formatDuration(Number(value) * 1_000);
    case "labels":
      return Object.entries(value)
        .map((label) => label.join(":"))
        .join(" ");
    default:
      return text;
  }
}

export function Status({ job }: { job: Job }) {
  const pending = usePendingAction(job.id);
  return (
    <span className="inline-flex items-center gap-2">
      <JobStatusBadge status={job.status} pending={pending} isLive={job.live} isCancelled={job.cancelled} />
      <span className="truncate text-xs text-muted">
        <StatusDetail job={job} />
      </span>
    </span>
  );
}

/** Detail beside the status: progress of a running job, code of a failed one, from its newest log entry. */
function StatusDetail({ job }: { job: Job }) {
  const last = job.last_log;
  if (job.status === "FAILED") return <code className="font-mono">{last && formatCode(last)}</code>;
  if (job.status !== "IN_PROGRESS") return null;
  if (last?.next_attempt_at) return <Time at={last.next_attempt_at} before="again " />;
  if (last?.kind === "result") return "judging";
  return job.progress == null ? null : formatPercent(job.progress);
}

/** Why a job waits, or else the message of its newest entry; the status tells its code. */
function LastEntry({ job }: { job: Job }) {
  const { nameAllIn } = useAgentNames();
  const [reason] = useReasons(job);
  if (reason) return <ReasonLine reason={reason} />;
  const last = job.last_log;
  return last && <bdi title={last.message ?? ""}>{nameAllIn(formatReason(last))}</bdi>;
}

function Title({ job }: { job: Job }) {
  const mismatch = use(Mismatch);
  return (
    <span className="@container flex min-w-0 items-center gap-2">
      <JobLink job={job} className="hover:underline" />
      {mismatch === null ? (
        // Where there is little room, the title has it.
        <span className="-my-1 hidden shrink-0 items-center @2xs:group-focus-within:inline-flex @2xs:group-hover:inline-flex">
          <span className="font-mono text-xs text-muted" title={job.id}>
            {shortenId(job.id)}
          </span>
          <CopyButton text={job.id} label={`Copy the id of ${job.title}`} className="size-6 pointer-coarse:hidden" />
        </span>
      ) : (
        <span className="shrink-[4] truncate text-xs text-muted">
          <MismatchText />
        </span>
      )}
    </span>
  );
}

/** Link of a row, which takes its focus; the row shows it. */
export function JobLink({ job, className }: { job: Job; className: string }) {
  return (
    <Link
      to="/jobs/$id"
      params={{ id: job.id }}
      title={`${job.title} (${job.id})`}
      className={cn("truncate font-medium outline-none", className)}
      data-row={job.id}
    >
      <bdi>{job.title}</bdi>
    </Link>
  );
}

export function formatSubmission(job: Job): string {
  return job.policy?.max_submissions ? `${job.submission}/${job.policy.max_submissions}` : String(job.submission);
}
