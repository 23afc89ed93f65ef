import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Copy, FlaskConical, Gavel, Link2, ListChecks, MoreHorizontal, Pencil } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useRefusal } from "@/api/me";
import type { Job, JobLog } from "@/api/types";
import { ActionButton, JobActionButtons } from "@/jobs/actions/JobActionButtons";
import { usePendingAction } from "@/jobs/actions/mutations";
import type { Part } from "@/jobs/form/EditJobDialog";
import { explainRefusalOfAll } from "@/jobs/list/bulk/operation";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { waitingQuery } from "@/jobs/model/queries";
import { type Action, explainEditRefusal } from "@/jobs/model/status";
import type { Submission } from "@/jobs/model/submissions";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { toast } from "@/ui/feedback/toast";
import { Menu, MenuItem } from "@/ui/overlays/menu";
import { JobFacts } from "./JobFacts";
import { JobProgress } from "./JobProgress";

/** Read when they are first opened. */
const EditJobDialog = lazy(() =>
  loadPart(async () => ({ default: (await import("@/jobs/form/EditJobDialog")).EditJobDialog })),
);
const OperationDialog = lazy(() => loadPart(() => import("@/jobs/list/bulk/OperationDialog")));

type JobHeaderProps = {
  job: Job;
  logs: readonly JobLog[];
  submissions: readonly Submission[];
  openByKey: Action | null;
  onOpenedByKey: () => void;
  onDuplicate: () => void;
};

/** Header of a job's page: status, title, facts, actions and progress. */
export function JobHeader({ job, logs, submissions, openByKey, onOpenedByKey, onDuplicate }: JobHeaderProps) {
  const pending = usePendingAction(job.id);
  const [editing, edit] = useKeptState<Part | null>("editing", null);
  const [isRejudging, rejudge] = useState(false);
  const navigate = useNavigate();
  const refuse = useRefusal();
  const reason = refuse("edit_job") ?? explainEditRefusal(job);
  const waiting = useQuery({ ...waitingQuery(job), enabled: job.live ?? job.status === "IN_PROGRESS" }).data;
  return (
    <header className="space-y-3 border-b pb-4">
      <div className="flex flex-wrap items-end justify-between gap-3">
        <div className="min-w-0 grow basis-96 space-y-1">
          <JobStatusBadge status={job.status} pending={pending} isLive={job.live} isCancelled={job.cancelled} />
          <h1 className="text-xl font-semibold wrap-anywhere">
            <bdi>{job.title}</bdi>
          </h1>
        </div>
        <JobActionButtons job={job} openByKey={openByKey} onOpenedByKey={onOpenedByKey}>
          <ActionButton icon={Pencil} verb="Edit" reason={reason} onClick={() => edit("all")} />
          <Menu
            trigger={
              <Button size="icon" aria-label="More">
                <MoreHorizontal aria-hidden size={16} />
              </Button>
            }
          >
            <MenuItem onSelect={() => edit("criteria")} reason={reason}>
              <ListChecks aria-hidden size={14} /> Edit criteria
            </MenuItem>
            <MenuItem onSelect={onDuplicate} reason={refuse("create_job")}>
              <Copy aria-hidden size={14} /> Duplicate with edits
            </MenuItem>
            <MenuItem
              onSelect={() => void navigate({ to: "/quality/try", search: { job: job.id } })}
              reason={refuse("create_judgings")}
            >
              <FlaskConical aria-hidden size={14} /> Try other criteria
            </MenuItem>
            <MenuItem
              onSelect={() => rejudge(true)}
              reason={refuse("create_operation") ?? explainRefusalOfAll("rejudge", [job])}
            >
              <Gavel aria-hidden size={14} /> Judge again
            </MenuItem>
            <MenuItem onSelect={() => void copyLink()}>
              <Link2 aria-hidden size={14} /> Copy the link
            </MenuItem>
          </Menu>
        </JobActionButtons>
      </div>
      <Suspense>
        {editing && <EditJobDialog job={job} part={editing} onClose={() => edit(null)} />}
        {isRejudging && (
          <OperationDialog
            kind="rejudge"
            search={{}}
            selected={[job]}
            among="This job"
            onClose={() => rejudge(false)}
          />
        )}
      </Suspense>
      <JobFacts job={job} />
      {job.description && (
        <p dir="auto" className="max-w-prose whitespace-pre-wrap wrap-anywhere">
          {job.description}
        </p>
      )}
      <JobProgress
        job={job}
        logs={logs}
        waiting={waiting}
        last={submissions.findLast(({ number, isLate }) => number !== null && !isLate)}
      />
    </header>
  );
}

async function copyLink(): Promise<void> {
  await navigator.clipboard.writeText(location.href).then(
    () => toast("The link was copied"),
    () => toast("The browser does not let the page copy", location.href),
  );
}
