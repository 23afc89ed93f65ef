import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import type { ApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { AlertDialog } from "@/ui/alert-dialog";
import { Field, Select, TextArea } from "@/ui/field";
import { ErrorState } from "@/ui/states";
import { agentsQuery } from "./queries";
import { type Action, VERBS } from "./status";

export type Details = { reason?: string; comment?: string; agentId?: string };

type JobActionDialogProps = {
  action: Action;
  job: Job;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onConfirm: (details: Details) => void;
  isPending: boolean;
  error: ApiError | null;
};

/** Says what will happen, asks for what it needs, and shows why it was refused without losing what was typed. */
export function JobActionDialog({
  action,
  job,
  open,
  onOpenChange,
  onConfirm,
  isPending,
  error,
}: JobActionDialogProps) {
  const [details, setDetails] = useState<Details>({});
  const isReady = action !== "assign" || Boolean(details.agentId);
  return (
    <AlertDialog
      open={open}
      onOpenChange={onOpenChange}
      title={TITLES[action]}
      verb={VERBS[action]}
      kind={action === "cancel" ? "danger" : "primary"}
      isPending={isPending}
      isReady={isReady}
      onConfirm={() => onConfirm(details)}
      fields={
        <>
          <ActionFields action={action} details={details} onChange={setDetails} />
          {error && (
            <ErrorState title={error.title} detail={error.detail} code={error.code} requestId={error.requestId} />
          )}
        </>
      }
    >
      <p className="font-medium">{job.title}</p>
      <p className="text-muted">{effect(action, job)}</p>
    </AlertDialog>
  );
}

const TITLES: Record<Action, string> = {
  execute: "Execute this job?",
  cancel: "Cancel this job?",
  resubmit: "Resubmit this job?",
  assign: "Assign an agent",
};

function effect(action: Action, job: Job): ReactNode {
  const agent = job.agent_id ? <b className="font-medium text-text">{job.agent_id}</b> : "its agent";
  switch (action) {
    case "execute":
      if (!job.agent_id) {
        return (
          <>
            An agent that has {job.capabilities?.join(", ")} is found and gets the payload; the result is judged against
            the acceptance criteria.
          </>
        );
      }
      return (
        <>The payload of its latest assignment goes to {agent}; the result is judged against the acceptance criteria.</>
      );
    case "cancel":
      return job.status === "IN_PROGRESS"
        ? "The call is given up. A result that still arrives is kept in the history, and is not judged."
        : "What was asked for is taken back. The job stays, and can be assigned and executed later.";
    case "resubmit":
      return (
        <>
          {agent} gets submission {job.submission + 1}, with the verdict on submission {job.submission} as feedback.
        </>
      );
    case "assign":
      return "The job waits with this agent until it is executed. Its count of submissions begins anew.";
  }
}

type FieldsProps = { action: Action; details: Details; onChange: (details: Details) => void };

function ActionFields({ action, details, onChange }: FieldsProps) {
  switch (action) {
    case "cancel":
      return (
        <Field label="Reason" hint="Optional; it stands in the history.">
          {(control) => (
            <TextArea
              {...control}
              value={details.reason ?? ""}
              onChange={(event) => onChange({ reason: event.target.value })}
            />
          )}
        </Field>
      );
    case "resubmit":
      return (
        <Field label="Comment for the agent" hint="Optional; told beside the verdict's feedback.">
          {(control) => (
            <TextArea
              {...control}
              value={details.comment ?? ""}
              onChange={(event) => onChange({ comment: event.target.value })}
            />
          )}
        </Field>
      );
    case "assign":
      return <AgentField value={details.agentId ?? ""} onChange={(agentId) => onChange({ agentId })} />;
    case "execute":
      return null;
  }
}

function AgentField({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const agents = useQuery(agentsQuery);
  return (
    <Field label="Agent" error={agents.error ? "The agents could not be read." : undefined}>
      {(control) => (
        <Select {...control} value={value} onChange={(event) => onChange(event.target.value)} required>
          <option value="">{agents.isPending ? "Loading…" : "Choose an agent"}</option>
          {agents.data?.map((agent) => (
            <option key={agent.id} value={agent.id} disabled={!agent.enabled}>
              {agent.name === agent.id ? agent.id : `${agent.name} (${agent.id})`}
              {agent.enabled ? "" : ", disabled"}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}
