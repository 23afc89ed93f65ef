import { Link } from "@tanstack/react-router";
import { Pencil } from "lucide-react";
import { useState } from "react";
import type { Job, JobLog } from "@/api/types";
import { money, shortId } from "@/lib/format";
import { Copy } from "@/ui/copy";
import { Time } from "@/ui/time";
import { ActionButton, JobActionButtons } from "../JobActionButtons";
import { JobProgress } from "../JobProgress";
import { JobStatusBadge } from "../JobStatusBadge";
import { usePendingAction } from "../mutations";
import { type Action, editRefusal } from "../status";
import { EditJobDialog, type Part } from "./EditJobDialog";
import { JobMenu } from "./JobMenu";

type JobHeaderProps = {
  job: Job;
  logs: readonly JobLog[];
  asked: Action | null;
  onHeard: () => void;
  onDuplicate: () => void;
};

/** What the job is, where it stands, and what can be done with it. */
export function JobHeader({ job, logs, asked, onHeard, onDuplicate }: JobHeaderProps) {
  const pending = usePendingAction(job.id);
  const [editing, edit] = useState<Part | null>(null);
  const reason = editRefusal(job);
  return (
    <header className="space-y-3 border-b pb-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0 grow basis-96 space-y-1">
          <div className="flex flex-wrap items-center gap-2">
            <JobStatusBadge status={job.status} pending={pending} isLive={job.live} />
            <h1 className="text-xl font-semibold break-words">{job.title}</h1>
          </div>
          <Facts job={job} />
        </div>
        <JobActionButtons job={job} asked={asked} onHeard={onHeard}>
          <ActionButton icon={Pencil} verb="Edit" reason={reason} onClick={() => edit("all")} />
          <JobMenu reason={reason} onEditCriteria={() => edit("criteria")} onDuplicate={onDuplicate} />
        </JobActionButtons>
      </div>
      {editing && <EditJobDialog job={job} part={editing} onClose={() => edit(null)} />}
      <JobProgress job={job} logs={logs} />
      {job.description && <p className="max-w-prose whitespace-pre-wrap break-words">{job.description}</p>}
    </header>
  );
}

function Facts({ job }: { job: Job }) {
  const labels = Object.entries(job.labels ?? {});
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-muted">
      <span className="flex items-center font-mono text-xs" title={job.id}>
        {shortId(job.id)}
        <Copy text={job.id} label="Copy the id" />
      </span>
      <span>
        agent{" "}
        {job.agent_id ? (
          <Link to="/" search={{ agent: job.agent_id }} className="text-accent hover:underline">
            {job.agent_id}
          </Link>
        ) : (
          "none yet"
        )}
      </span>
      <span>priority {job.priority}</span>
      <span>tenant {job.tenant}</span>
      {job.batch_id && (
        <Link to="/batches/$id" params={{ id: job.batch_id }} className="text-accent hover:underline">
          batch {shortId(job.batch_id)}
        </Link>
      )}
      {job.spent_usd != null && (
        <span>
          {money(job.spent_usd)}
          {job.policy?.budget_usd ? ` of ${money(job.policy.budget_usd)}` : ""}
        </span>
      )}
      <span>
        changed <Time at={job.updated_at} />
      </span>
      {labels.map(([name, value]) => (
        <Link
          key={name}
          to="/"
          search={{ label: [`${name}:${value}`] }}
          className="rounded bg-pending-tint px-1.5 text-xs text-pending hover:underline"
        >
          {name}: {value}
        </Link>
      ))}
    </div>
  );
}
