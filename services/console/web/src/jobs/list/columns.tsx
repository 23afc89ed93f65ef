import { Link } from "@tanstack/react-router";
import { columnVisibilityFeature, createColumnHelper, tableFeatures } from "@tanstack/react-table";
import type { Job } from "@/api/types";
import { money, percent, shortId } from "@/lib/format";
import { Time } from "@/ui/time";
import { JobStatusBadge } from "../JobStatusBadge";
import { usePendingAction } from "../mutations";
import type { Sort } from "./filters";

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
  | "labels"
  | "created"
  | "updated";

/** How wide each is, and by what it can be sorted. */
export const COLUMN_LOOK: Record<ColumnId, { name: string; width: string; sort?: Sort }> = {
  status: { name: "Status", width: "w-60" },
  title: { name: "Job", width: "w-auto" },
  last: { name: "Last entry", width: "w-72" },
  agent: { name: "Agent", width: "w-32" },
  submission: { name: "Sub", width: "w-14" },
  tenant: { name: "Tenant", width: "w-28" },
  priority: { name: "Prio", width: "w-14" },
  cost: { name: "Cost", width: "w-20" },
  labels: { name: "Labels", width: "w-48" },
  created: { name: "Created", width: "w-24", sort: "created" },
  updated: { name: "Updated", width: "w-24", sort: "updated" },
};

/** By what a phone sorts its cards. */
export const ON_A_PHONE: ColumnId[] = ["title", "updated"];

export const HIDDEN_AT_FIRST: ColumnId[] = ["tenant", "priority", "labels", "created"];

export const columns = helper.columns([
  helper.display({ id: "status", cell: ({ row }) => <Status job={row.original} /> }),
  helper.display({ id: "title", cell: ({ row }) => <Title job={row.original} /> }),
  helper.display({
    id: "last",
    cell: ({ row }) => <bdi title={row.original.last_log?.message ?? ""}>{row.original.last_log?.message}</bdi>,
  }),
  helper.display({ id: "agent", cell: ({ row }) => row.original.agent_id ?? "–" }),
  helper.display({ id: "submission", cell: ({ row }) => submissionText(row.original) }),
  helper.display({ id: "tenant", cell: ({ row }) => row.original.tenant }),
  helper.display({ id: "priority", cell: ({ row }) => row.original.priority }),
  helper.display({
    id: "cost",
    cell: ({ row }) => (row.original.spent_usd == null ? "–" : money(row.original.spent_usd)),
  }),
  helper.display({ id: "labels", cell: ({ row }) => labelsText(row.original) }),
  helper.display({ id: "created", cell: ({ row }) => <Time at={row.original.created_at} /> }),
  helper.display({ id: "updated", cell: ({ row }) => <Time at={row.original.updated_at} /> }),
]);

export function Status({ job }: { job: Job }) {
  const pending = usePendingAction(job.id);
  return (
    <span className="inline-flex items-center gap-2">
      <JobStatusBadge status={job.status} pending={pending} isLive={job.live} />
      <span className="truncate text-xs text-muted">
        <How job={job} />
      </span>
    </span>
  );
}

/** Where a job that runs is, and why one failed: as far as the newest entry of its log tells. */
function How({ job }: { job: Job }) {
  const last = job.last_log;
  if (job.status === "FAILED") return <code className="font-mono">{last?.code}</code>;
  if (job.status !== "IN_PROGRESS") return null;
  if (last?.next_attempt_at) return <Time at={last.next_attempt_at} before="again " />;
  if (last?.kind === "result") return "judging";
  return job.progress == null ? null : percent(job.progress);
}

function Title({ job }: { job: Job }) {
  return (
    <span className="flex min-w-0 items-baseline gap-2">
      <Link to="/jobs/$id" params={{ id: job.id }} className="truncate font-medium hover:underline" data-row={job.id}>
        <bdi>{job.title}</bdi>
      </Link>
      <span className="shrink-0 font-mono text-xs text-muted" title={job.id}>
        {shortId(job.id)}
      </span>
    </span>
  );
}

export function submissionText(job: Job): string {
  return job.policy?.max_submissions ? `${job.submission}/${job.policy.max_submissions}` : String(job.submission);
}

function labelsText(job: Job): string {
  return Object.entries(job.labels ?? {})
    .map(([name, value]) => `${name}:${value}`)
    .join(" ");
}
