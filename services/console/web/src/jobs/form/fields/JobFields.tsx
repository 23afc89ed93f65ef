import { useQuery } from "@tanstack/react-query";
import { Controller, type RefCallBack, useFormContext } from "react-hook-form";
import { agentName, agentsQuery } from "@/api/agents";
import { FORM_FIELDS, type FormField } from "@/jobs/fields";
import { type Criterion, isFilled } from "@/jobs/form/model/criteria";
import type { AssignmentMode, JobValues } from "@/jobs/form/model/job-values";
import { explainInvalidJson } from "@/lib/exact-json";
import { PolicyFields } from "@/policy/PolicyFields";
import { Field, Input, Select, TextArea } from "@/ui/controls/field";
import { CriteriaEditor } from "./CriteriaEditor";
import { LabelsEditor } from "./LabelsEditor";
import { PayloadEditor } from "./PayloadEditor";

const PRIORITIES = ["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"];

/** Make a ref through which the form focuses one part of an editor, when that part is not valid. */
const focusOn = (ref: RefCallBack, part: string) => (editor: HTMLElement | null) =>
  ref(editor && { focus: () => editor.querySelector<HTMLElement>(part)?.focus() });

/** Fields of a new job, the first of which takes the focus, or those that an edit may change. */
export function JobFields({ isEdit }: { isEdit?: boolean }) {
  const fields = FORM_FIELDS.filter((field) => !isEdit || field.isEdited);
  const narrow = fields.filter(({ isNarrow }) => isNarrow);
  const draw = (field: FormField) => (
    <JobField key={field.key} field={field} autoFocus={!isEdit && field === fields[0]} />
  );
  return fields.map((field) => {
    if (!field.isNarrow || narrow.length === 1) return draw(field);
    return (
      field === narrow[0] && (
        <div key="narrow" className="grid gap-3 sm:grid-cols-3">
          {narrow.map(draw)}
        </div>
      )
    );
  });
}

function JobField({
  field: { key, name, control, hint, required },
  autoFocus,
}: {
  field: FormField;
  autoFocus: boolean;
}) {
  const { register, formState } = useFormContext<JobValues>();
  switch (control) {
    case "capabilities":
      return null; // the choice of the agent has it
    case "agent":
      return <AgentChoice />;
    case "policy":
      return <PolicyFields />;
    case "criteria":
      return (
        <Controller<JobValues, "acceptance_criteria">
          name="acceptance_criteria"
          rules={{ validate: (all: Criterion[]) => all.some(isFilled) || "It needs at least one criterion." }}
          render={({ field: { value, onChange, ref }, fieldState: { error } }) => (
            <div ref={focusOn(ref, "[data-criterion]")}>
              <CriteriaEditor value={value} onChange={onChange} error={error?.message} />
            </div>
          )}
        />
      );
    case "json":
      return (
        <Controller<JobValues, "payload">
          name="payload"
          rules={{ validate: explainInvalidJson }}
          render={({ field: { value, onChange, ref }, fieldState: { error } }) => (
            <div ref={focusOn(ref, "[role=textbox]")}>
              <PayloadEditor value={value} onChange={onChange} error={error?.message ?? explainInvalidJson(value)} />
            </div>
          )}
        />
      );
    case "labels":
      return (
        <Controller<JobValues, "labels">
          name="labels"
          render={({ field: { value, onChange }, fieldState: { error } }) => (
            <LabelsEditor value={value} onChange={onChange} error={error?.message} />
          )}
        />
      );
  }
  const registered = register(key, { required });
  return (
    <Field label={name} hint={hint} error={formState.errors[key]?.message as string | undefined}>
      {(props) => {
        if (control === "lines") return <TextArea {...props} rows={4} {...registered} />;
        if (control !== "priority")
          return (
            <Input
              {...props}
              type={control === "moment" ? "datetime-local" : undefined}
              autoFocus={autoFocus}
              {...registered}
            />
          );
        return (
          <Select {...props} {...registered}>
            {PRIORITIES.map((each) => (
              <option key={each} value={each}>
                {each}
                {{ "9": ", first", "5": ", normal", "0": ", last" }[each]}
              </option>
            ))}
          </Select>
        );
      }}
    </Field>
  );
}

const MODE_WORDS: Record<AssignmentMode, string> = {
  agent: "This agent",
  capabilities: "Any agent that can do it",
  later: "None yet",
};

/** Choice of who does the job: an agent, any with given capabilities, or nobody yet. */
function AgentChoice() {
  const { register, watch, formState } = useFormContext<JobValues>();
  const agents = useQuery(agentsQuery);
  const [who, chosen] = watch(["who", "agent_id"]);
  const knownCapabilities = [...new Set(agents.data?.flatMap((agent) => agent.capabilities ?? []))].toSorted();
  return (
    <fieldset className="space-y-2">
      <legend className="mb-1 font-medium">Who does it</legend>
      <div className="flex flex-wrap gap-x-4">
        {Object.entries(MODE_WORDS).map(([value, words]) => (
          <label key={value} className="flex min-h-8 items-center gap-2">
            <input type="radio" value={value} {...register("who")} />
            {words}
          </label>
        ))}
      </div>
      {who === "agent" && (
        <Field
          label="Agent"
          error={formState.errors.agent_id?.message ?? (agents.error ? "The agents could not be read." : undefined)}
        >
          {(control) => (
            // The agents may be read after one is chosen: a controlled select shows it then.
            <Select {...control} {...register("agent_id")} value={chosen}>
              <option value="">{agents.isPending ? "Loading…" : "Choose an agent"}</option>
              {agents.isPending && chosen && <option value={chosen}>{chosen}</option>}
              {agents.data?.map((agent) => (
                <option key={agent.id} value={agent.id} disabled={!agent.enabled}>
                  {agentName(agent)}
                  {agent.enabled ? "" : ", disabled"}
                </option>
              ))}
            </Select>
          )}
        </Field>
      )}
      {who === "capabilities" && (
        <Field
          label="Capabilities"
          hint={`One per line; an agent must have all of them.${knownCapabilities.length > 0 ? ` There are: ${knownCapabilities.join(", ")}.` : ""}`}
          error={formState.errors.capabilities?.message}
        >
          {(control) => <TextArea {...control} rows={2} {...register("capabilities")} />}
        </Field>
      )}
    </fieldset>
  );
}
