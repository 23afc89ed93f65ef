import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { copiesOf } from "@/api/copies";
import { useHold } from "@/api/holds";
import { useRefusal } from "@/api/me";
import type { Job } from "@/api/types";
import { HeldBy } from "@/jobs/actions/HeldBy";
import { usePendingAction } from "@/jobs/actions/mutations";
import { useJobActions } from "@/jobs/actions/use-job-actions";
import type { Part } from "@/jobs/form/EditJobDialog";
import { explainRefusalOfAll, useRemovalRefusal } from "@/jobs/list/bulk/operation";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { type Action, explainEditRefusal } from "@/jobs/model/status";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { type Choice, ThingHead } from "@/ui/display/ThingHead";
import { useJobFacts } from "./JobFacts";

/** Read when they are first opened. */
const EditJobDialog = lazy(() =>
  loadPart(async () => ({ default: (await import("@/jobs/form/EditJobDialog")).EditJobDialog })),
);
const HoldDialog = lazy(() => loadPart(() => import("@/jobs/actions/HoldDialog")));
const OperationDialog = lazy(() => loadPart(() => import("@/jobs/list/bulk/OperationDialog")));

const HELD = "It is held, and stays until it is released.";

type JobHeaderProps = {
  job: Job;
  openByKey: Action | null;
  onOpenedByKey: () => void;
  onDuplicate: () => void;
};

/** Whether the console knows where traces are shown (SIGNOFF_TRACE_URL). */
function areTracesShown(): boolean {
  return document.querySelector('meta[name="traces"]') !== null;
}

/** Open the trace in a tab of its own; the console leads on to where it is. */
function openTrace(jobId: string): void {
  window.open(`/jobs/${encodeURIComponent(jobId)}/trace`, "_blank", "noopener");
}

/** Head of a job's page: status, title, facts, the likely step and all others in a menu. */
export function JobHeader({ job, openByKey, onOpenedByKey, onDuplicate }: JobHeaderProps) {
  const pending = usePendingAction(job.id);
  const [editing, edit] = useKeptState<Part | null>("editing", null);
  const [operation, operate] = useState<"rejudge" | "remove" | null>(null);
  const hold = useHold(job.id);
  const [isHolding, askHold] = useState(false);
  const navigate = useNavigate();
  const refuse = useRefusal();
  const refuseRemoval = useRemovalRefusal();
  const actions = useJobActions(job, { openByKey, onOpenedByKey });
  const facts = useJobFacts(job);
  const editRefusal = refuse("edit_job") ?? explainEditRefusal(job);
  const duplicate = { words: "Duplicate with edits", onSelect: onDuplicate, reason: refuse("create_job") };
  const choices: Choice[] = [
    ...actions.choices,
    { words: "Edit", onSelect: () => edit("all"), reason: editRefusal },
    { words: "Edit criteria", onSelect: () => edit("criteria"), reason: editRefusal },
    duplicate,
    {
      words: "Try other criteria",
      onSelect: () => void navigate({ to: "/quality/try", search: { job: job.id } }),
      reason: refuse("create_judgings"),
    },
    {
      words: "Judge again",
      onSelect: () => operate("rejudge"),
      reason: refuse("create_operation") ?? explainRefusalOfAll("rejudge", [job]),
    },
    {
      words: hold ? "Release" : "Hold",
      onSelect: () => askHold(true),
      reason: refuse(hold ? "release_job" : "hold_job"),
    },
    {
      words: "Remove",
      onSelect: () => operate("remove"),
      reason: refuseRemoval() ?? (hold ? HELD : explainRefusalOfAll("remove", [job])),
    },
  ];
  if (areTracesShown() && job.execution_id) {
    choices.push({ words: "Open the trace", onSelect: () => openTrace(job.id) });
  }
  const { words, onSelect, reason } = actions.likely ?? duplicate;
  return (
    <>
      <ThingHead
        badge={<JobStatusBadge status={job.status} pending={pending} isLive={job.live} isCancelled={job.cancelled} />}
        title={job.title}
        facts={hold ? [["Held", <HeldBy key="held" hold={hold} />], ...facts] : facts}
        step={
          <Button
            kind={words === "Cancel" || !actions.likely ? "plain" : "primary"}
            reason={reason}
            aria-busy={actions.likely?.isPending || undefined}
            onClick={onSelect}
          >
            {words}
          </Button>
        }
        choices={choices}
        copies={copiesOf("job", job.id)}
      />
      {actions.dialog}
      <Suspense>
        {isHolding && <HoldDialog jobId={job.id} title={job.title} hold={hold} onClose={() => askHold(false)} />}
        {editing && <EditJobDialog job={job} part={editing} onClose={() => edit(null)} />}
        {operation && (
          <OperationDialog
            kind={operation}
            search={{}}
            selected={[job]}
            among="This job"
            onClose={() => operate(null)}
          />
        )}
      </Suspense>
    </>
  );
}
