import { Link } from "@tanstack/react-router";
import { columnVisibilityFeature, createColumnHelper, tableFeatures } from "@tanstack/react-table";
import { createContext, use } from "react";
import { AgentName } from "@/api/AgentName";
import { useAgentNames } from "@/api/agents";
import type { Job } from "@/api/types";
import { usePendingAction } from "@/jobs/actions/mutations";
import type { Sort } from "@/jobs/list/search/jobs-search";
import { useReasons } from "@/jobs/list/state/use-waiting";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { formatCode, formatReason } from "@/jobs/model/logs";
import { ReasonLine } from "@/jobs/model/WhyItWaits";
import { cn } from "@/lib/cn";
import { formatDuration, formatMoney, formatPercent, shortenId } from "@/lib/format";
import { Time } from "@/ui/display/time";

export const features = tableFeatures({ columnVisibilityFeature });
const helper = createColumnHelper<typeof features, Job>();

export type ColumnId =
  | "status"
  | "title"
  | "last"
  | "agent"
  | "submission"
  | "tenant"
  | "priority"
  | "cost"
  | "duration"
  | "labels"
  | "created"
  | "updated";

type Look = { name: string; px?: number; minPx?: number; sort?: Sort };

/** Name, width in px and sort key of each column; those without a width share what is left. */
export const COLUMN_LOOK: Record<ColumnId, Look> = {
  status: { name: "Status", px: 216 },
  title: { name: "Job", minPx: 240 },
  last: { name: "Last entry", minPx: 200 },
  agent: { name: "Agent", px: 120 },
  submission: { name: "Submission", px: 92 },
  tenant: { name: "Tenant", px: 112 },
  priority: { name: "Priority", px: 80, sort: "priority" },
  cost: { name: "Cost", px: 72, sort: "cost" },
  duration: { name: "Duration", px: 92, sort: "duration" },
  labels: { name: "Labels", px: 192 },
  created: { name: "Created", px: 96, sort: "created" },
  updated: { name: "Updated", px: 96, sort: "updated" },
};

const BOX_PX = 40;

/** Sum the minimum widths of columns in px; with less room, the table scrolls. */
export function sumMinWidths(ids: readonly ColumnId[]): number {
  return ids.reduce((sum, id) => sum + (COLUMN_LOOK[id].px ?? COLUMN_LOOK[id].minPx ?? 0), BOX_PX);
}

/** Context of a row: which filter its job no longer passes. */
export const Mismatch = createContext<string | null>(null);

/** Reason why a row is dimmed, beside its title. */
export function MismatchText() {
  const reason = use(Mismatch);
  return reason && <span title={reason}>no longer matches: {reason}</span>;
}

/** Columns in the head above cards, for selecting all and sorting. */
export const CARD_COLUMNS: ColumnId[] = ["title", "updated"];

export const HIDDEN_BY_DEFAULT: ColumnId[] = ["tenant", "priority", "duration", "labels", "created"];

export const columns = helper.columns([
  helper.display({ id: "status", cell: ({ row }) => <Status job={row.original} /> }),
  helper.display({ id: "title", cell: ({ row }) => <Title job={row.original} /> }),
  helper.display({
    id: "last",
    cell: ({ row }) => <LastEntry job={row.original} />,
  }),
  helper.display({
    id: "agent",
    cell: ({ row }) => (row.original.agent_id ? <AgentName id={row.original.agent_id} /> : "–"),
  }),
  helper.display({ id: "submission", cell: ({ row }) => formatSubmission(row.original) }),
  helper.display({ id: "tenant", cell: ({ row }) => row.original.tenant }),
  helper.display({ id: "priority", cell: ({ row }) => row.original.priority }),
  helper.display({
    id: "cost",
    cell: ({ row: { original: job } }) => (Number(job.cost_usd) > 0 ? formatMoney(job.cost_usd) : "–"), // nothing told is not free
  }),
  helper.display({
    id: "duration",
    cell: ({ row: { original: job } }) => (job.duration_s == null ? "–" : formatDuration(job.duration_s * 1_000)),
  }),
  helper.display({ id: "labels", cell: ({ row }) => formatLabels(row.original) }),
  helper.display({ id: "created", cell: ({ row }) => <Time at={row.original.created_at} /> }),
  helper.display({ id: "updated", cell: ({ row }) => <Time at={row.original.updated_at} /> }),
]);

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
    <span className="@container flex min-w-0 items-baseline gap-2">
      <JobLink job={job} className="hover:underline" />
      {mismatch === null ? (
        // Where there is little room, the title has it.
        <span className="hidden shrink-0 font-mono text-xs text-muted @2xs:inline" title={job.id}>
          {shortenId(job.id)}
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

function formatLabels(job: Job): string {
  return Object.entries(job.labels ?? {})
    .map(([name, value]) => `${name}:${value}`)
    .join(" ");
}
