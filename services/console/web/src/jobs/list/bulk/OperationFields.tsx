import type { NewOperation, OperationKind } from "@/api/types";
import { AgentField } from "@/jobs/actions/AgentField";
import { Field, Input } from "@/ui/controls/field";
import { RejudgeFields } from "./RejudgeFields";

export type Details = Pick<
  NewOperation,
  | ("name" | "agent_id" | "reason" | "comment")
  | ("judge" | "shadow" | "criteria" | "criteria_set" | "rate_per_s" | "budget_usd")
>;

type OperationFieldsProps = { kind: OperationKind; details: Details; onChange: (details: Details) => void };

/** Fields of what an operation is told besides its jobs. */
export function OperationFields({ kind, details, onChange }: OperationFieldsProps) {
  const input = (field: "name" | "reason" | "comment", label: string, hint: string) => (
    <Field label={label} hint={hint}>
      {(control) => (
        <Input
          {...control}
          value={details[field] ?? ""}
          onChange={(event) => onChange({ ...details, [field]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <>
      {kind === "assign" && (
        <AgentField
          job={{}}
          value={details.agent_id ?? ""}
          onChange={(agent_id) => onChange({ ...details, agent_id })}
        />
      )}
      {kind === "rejudge" && <RejudgeFields details={details} onChange={onChange} />}
      {kind === "cancel" && input("reason", "Reason", "Optional; recorded in the history of each job.")}
      {kind === "resubmit" && input("comment", "Comment for the agents", "Optional; sent with the verdict's feedback.")}
      {input("name", "Name", "Optional; to find it again by.")}
    </>
  );
}
