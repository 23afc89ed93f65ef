import { useQuery } from "@tanstack/react-query";
import { agentName, agentsQuery } from "@/api/agents";
import type { Agent, Job } from "@/api/types";
import { isolateText } from "@/lib/isolate-text";
import { Field, Select } from "@/ui/controls/field";

/** What of a job, or of many at once, tells which agent can do it. */
type Asked = Partial<Pick<Job, "agent_id" | "capabilities">>;

type AgentFieldProps = { job: Asked; value: string; onChange: (id: string) => void };

/** Select of the agent to assign a job to; each option says what keeps the agent from doing the job. */
export function AgentField({ job, value, onChange }: AgentFieldProps) {
  const agents = useQuery(agentsQuery);
  const chosen = agents.data?.find((agent) => agent.id === value);
  return (
    <Field
      label="Agent"
      error={agents.error ? "The agents could not be read." : undefined}
      hint={chosen && describeConsequence(chosen, job)}
    >
      {(control) => (
        <Select {...control} value={value} onChange={(event) => onChange(event.target.value)} required>
          <option value="">{agents.isPending ? "Loading…" : "Choose an agent"}</option>
          {agents.data?.map((agent) => (
            <option key={agent.id} value={agent.id} disabled={!agent.enabled}>
              {[agentName(agent), agent.id === job.agent_id && "has it now", ...describeObstacles(agent, job)]
                .filter(Boolean)
                .join(", ")}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}

const listMissingCapabilities = (agent: Agent, job: Asked) =>
  (job.capabilities ?? []).filter((each) => !(agent.capabilities ?? []).includes(each));

function describeObstacles(agent: Agent, job: Asked): string[] {
  const lacks = listMissingCapabilities(agent, job);
  return [
    ...(agent.enabled ? [] : ["disabled"]),
    ...(agent.paused ? ["paused"] : []),
    ...(agent.circuit === "CLOSED" ? [] : [agent.circuit === "OPEN" ? "circuit open" : "being tried again"]),
    ...(lacks.length > 0 ? [`lacks ${isolateText(lacks.join(", "))}`] : []),
  ];
}

function describeConsequence(agent: Agent, job: Asked): string | undefined {
  if (listMissingCapabilities(agent, job).length > 0)
    return "It does not say that it can do all that the job asks for.";
  if (agent.paused) return "It is paused: what is executed waits until it is resumed.";
  if (agent.circuit !== "CLOSED") return "Its calls failed recently: what is executed waits until it is tried again.";
  return undefined;
}
