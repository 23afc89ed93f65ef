import { useQuery } from "@tanstack/react-query";
import { setsQuery } from "@/api/judges";
import { useTenant } from "@/api/tenants";
import type { NewOperation, OperationKind } from "@/api/types";
import { AgentField } from "@/jobs/actions/AgentField";
import { CriteriaLint, replaceCriterion } from "@/judging/CriteriaLint";
import { PolicyChoice } from "@/judging/PolicyChoice";
import { Field, Input, RadioGroup, Select, TextArea } from "@/ui/controls/field";

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
      {kind === "remove" && input("reason", "Reason", "Optional; it stays with what stays of each job.")}
      {kind === "resubmit" && input("comment", "Comment for the agents", "Optional; sent with the verdict's feedback.")}
      {input("name", "Name", "Optional; to find it again by.")}
    </>
  );
}

type RejudgeFieldsProps = { details: Details; onChange: (details: Details) => void };

const OWN = "own";
const DRAFT = "draft";
const WAYS = [
  ["shadow", "As a shadow: nothing changes"],
  ["real", "For real: the verdicts become those of the jobs"],
] as const;

/** By what results are judged again, whether that changes anything, and within which limits. */
function RejudgeFields({ details, onChange }: RejudgeFieldsProps) {
  const { criteria, criteria_set: set, shadow, ...rest } = details;
  const sets = useQuery(setsQuery(useTenant())).data ?? [];
  const judgeBy = (value: string) => {
    if (value === OWN) return onChange({ ...rest, shadow });
    onChange({ ...rest, shadow, ...(value === DRAFT ? { criteria: criteria ?? "" } : { criteria_set: value }) });
  };
  const limit = (field: "rate_per_s" | "budget_usd", label: string) => (
    <Field label={label}>
      {(control) => (
        <Input
          {...control}
          type="number"
          min={0}
          step="any"
          value={details[field] ?? ""}
          onChange={({ target }) =>
            onChange({ ...details, [field]: (field === "budget_usd" ? target.value : target.valueAsNumber) || null })
          }
        />
      )}
    </Field>
  );
  return (
    <>
      <RadioGroup
        label="Judge again"
        choices={WAYS}
        value={shadow ? "shadow" : "real"}
        onChange={(way) => onChange(way === "shadow" ? { ...details, shadow: true } : { ...rest, shadow: false })}
      />
      <PolicyChoice
        none="The one that each was judged by"
        value={details.judge ?? ""}
        onChange={(judge) => onChange({ ...details, judge })}
      />
      {shadow && (
        <Field label="Criteria">
          {(control) => (
            <Select
              {...control}
              value={criteria != null ? DRAFT : (set ?? OWN)}
              onChange={(event) => judgeBy(event.target.value)}
            >
              <option value={OWN}>The jobs' own</option>
              <option value={DRAFT}>A draft</option>
              {sets.map(({ name }) => (
                <option key={name} value={name}>
                  The set {name}
                </option>
              ))}
            </Select>
          )}
        </Field>
      )}
      {shadow && criteria != null && (
        <>
          <Field label="Draft of the criteria" hint="One per line.">
            {(control) => (
              <TextArea
                {...control}
                rows={4}
                value={criteria}
                onChange={(event) => onChange({ ...details, criteria: event.target.value })}
              />
            )}
          </Field>
          <CriteriaLint
            text={criteria}
            onReplace={(place, by) => onChange({ ...details, criteria: replaceCriterion(criteria, place, by) })}
          />
        </>
      )}
      <div className="grid gap-3 sm:grid-cols-2">
        {limit("rate_per_s", "At most a second")}
        {limit("budget_usd", "At most in dollars")}
      </div>
    </>
  );
}
