import { useFormContext, useWatch } from "react-hook-form";
import type { Agent } from "@/api/types";
import { Button } from "@/ui/controls/button";
import { Time } from "@/ui/display/time";
import { type AgentValues, splitLines } from "./agent-values";
import { findOffered, isCardAwaited } from "./card";

/** What an A2A server says of itself, or why that is not known, and the button that takes its skills as capabilities. */
export function CardSection({ agent }: { agent: Agent }) {
  const { setValue, setFocus } = useFormContext<AgentValues>();
  const capabilities = splitLines(useWatch<AgentValues, "capabilities">({ name: "capabilities" }));
  const { card } = agent;
  const offered = findOffered(agent, capabilities);
  const take = () => {
    setValue("capabilities", [...capabilities, ...offered].join("\n"), { shouldDirty: true, shouldTouch: true });
    setFocus("capabilities"); // the button goes
  };
  return (
    <section aria-label="Card" className="space-y-1 rounded border p-3 wrap-anywhere">
      <h3 className="font-medium">Card</h3>
      {card?.code && (
        <p className="text-failed">
          It cannot be read: <span className="font-mono text-xs">{card.code}</span> <bdi>{card.message}</bdi>
        </p>
      )}
      {!card && <p>{agent.enabled ? "It is not read yet: an executor that runs reads it." : "It is not read."}</p>}
      {card && isCardAwaited(agent) && (
        <p>This is of before the agent was changed: an executor that runs reads it again.</p>
      )}
      {card?.binding && (
        <>
          <p>
            <bdi>{card.name}</bdi> <bdi>{card.version}</bdi>, {card.binding} at <bdi>{card.url}</bdi>
          </p>
          {card.description && (
            <p className="text-muted">
              <bdi>{card.description}</bdi>
            </p>
          )}
          <p className="text-xs text-muted">
            Read <Time at={card.read_at} />.{" "}
            {card.lists_tasks
              ? "It lists its tasks: a call that is lost is found again."
              : "It lists no tasks: a call that is lost under at_most_once ends agent_work_unknown."}
          </p>
        </>
      )}
      {card?.changed_at && card.changes.length > 0 && (
        <div>
          Changed <Time at={card.changed_at} />:
          <ul className="list-disc pl-5">
            {card.changes.map((change) => (
              <li key={change}>
                <bdi>{change}</bdi>
              </li>
            ))}
          </ul>
        </div>
      )}
      {card && card.skills.length > 0 && (
        <div>
          Skills:
          <ul aria-label="Skills" className="list-disc pl-5">
            {card.skills.map((skill, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a server may name two skills alike, and none moves
              <li key={place}>
                <bdi className="font-mono text-xs">{skill.id}</bdi> <bdi>{skill.name}</bdi>{" "}
                <bdi className="text-xs text-muted">{skill.description}</bdi>
              </li>
            ))}
          </ul>
        </div>
      )}
      {offered.length > 0 && (
        <Button size="small" onClick={take}>
          Take its skills as capabilities
        </Button>
      )}
    </section>
  );
}
