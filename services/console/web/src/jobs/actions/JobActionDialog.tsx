import { type ReactNode, useState } from "react";
import { AgentName } from "@/api/AgentName";
import { ProblemState } from "@/api/ProblemState";
import type { ApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { ACTION_VERBS, type Action, explainRefusal } from "@/jobs/model/status";
import { Field, TextArea } from "@/ui/controls/field";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { AgentField } from "./AgentField";

export type ActionDetails = { reason?: string; comment?: string; agentId?: string };

type JobActionDialogProps = {
  action: Action;
  job: Job;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onConfirm: (details: ActionDetails) => void;
  isPending: boolean;
  error: ApiError | null;
};

/** Dialog that confirms an action: its effect, its fields, and the server's refusal without losing what was typed. */
export function JobActionDialog({
  action,
  job,
  open,
  onOpenChange,
  onConfirm,
  isPending,
  error,
}: JobActionDialogProps) {
  const [details, setDetails] = useState<ActionDetails>({});
  const refusalMeanwhile = isPending ? null : explainRefusal(action, job);
  const isReady = refusalMeanwhile === null && (action !== "assign" || Boolean(details.agentId));
  return (
    <AlertDialog
      open={open}
      onOpenChange={onOpenChange}
      title={TITLES[action]}
      verb={ACTION_VERBS[action]}
      kind={action === "cancel" ? "danger" : "primary"}
      isPending={isPending}
      isReady={isReady}
      onConfirm={() => onConfirm(details)}
      fields={
        <>
          <ActionFields action={action} job={job} details={details} onChange={setDetails} />
          <ProblemState error={error} />
          {refusalMeanwhile && (
            <p role="status" className="flex flex-wrap items-center gap-2">
              It has moved on meanwhile: <JobStatusBadge status={job.status} isLive={job.live} /> {refusalMeanwhile}
            </p>
          )}
        </>
      }
    >
      <p dir="auto" className="font-medium wrap-anywhere">
        {job.title}
      </p>
      <p className="text-muted wrap-anywhere">{describeEffect(action, job)}</p>
    </AlertDialog>
  );
}

const TITLES: Record<Action, string> = {
  execute: "Execute this job?",
  cancel: "Cancel this job?",
  resubmit: "Resubmit this job?",
  assign: "Assign an agent",
};

function describeEffect(action: Action, job: Job): ReactNode {
  const agent = job.agent_id ? <AgentName id={job.agent_id} className="font-medium text-text" /> : "its agent";
  switch (action) {
    case "execute":
      if (!job.agent_id) {
        return (
          <>
            An agent that has <bdi>{job.capabilities?.join(", ")}</bdi> is found and gets the payload; the result is
            judged against the acceptance criteria.
          </>
        );
      }
      return (
        <>The payload of its latest assignment goes to {agent}; the result is judged against the acceptance criteria.</>
      );
    case "cancel":
      if (job.status === "IN_PROGRESS") {
        return (
          <>
            Submission {job.submission} with {agent} is under way. The call is given up; a result that still arrives is
            kept in the history, and is not judged.
          </>
        );
      }
      return (
        <>
          Submission {job.submission} waits to be taken for {agent}, and is taken back. The job stays, and can be
          assigned and executed later.
        </>
      );
    case "resubmit":
      return (
        <>
          {agent} gets submission {job.submission + 1}, with the verdict on submission {job.submission} as feedback.
        </>
      );
    case "assign":
      return (
        <>
          {job.agent_id && <>It is taken from {agent}. </>}
          The job waits with the agent that you choose until it is executed. Its count of submissions begins anew.
        </>
      );
  }
}

type ActionFieldsProps = {
  action: Action;
  job: Job;
  details: ActionDetails;
  onChange: (details: ActionDetails) => void;
};

const TEXTS = {
  cancel: { key: "reason", label: "Reason", hint: "Optional; recorded in the history." },
  resubmit: { key: "comment", label: "Comment for the agent", hint: "Optional; sent with the verdict's feedback." },
} as const;

function ActionFields({ action, job, details, onChange }: ActionFieldsProps) {
  if (action === "execute") return null;
  if (action === "assign")
    return <AgentField job={job} value={details.agentId ?? ""} onChange={(agentId) => onChange({ agentId })} />;
  const { key, label, hint } = TEXTS[action];
  return (
    <Field label={label} hint={hint}>
      {(control) => (
        <TextArea
          {...control}
          value={details[key] ?? ""}
          onChange={(event) => onChange({ [key]: event.target.value })}
        />
      )}
    </Field>
  );
}
