import { useQuery } from "@tanstack/react-query";
import { useFormContext } from "react-hook-form";
import { agentName, agentsQuery } from "@/api/agents";
import type { AssignmentMode, JobValues } from "@/jobs/form/model/job-values";
import { Field, Select, TextArea } from "@/ui/controls/field";

const MODE_WORDS: Record<AssignmentMode, string> = {
  agent: "This agent",
  capabilities: "Any agent that can do it",
  later: "None yet",
};

/** Choice of who does the job: an agent, any with given capabilities, or nobody yet. */
export function AgentChoice() {
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
            <input type="radio" value={value} className="size-4 accent-accent" {...register("who")} />
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
