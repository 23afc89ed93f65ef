import { useNavigate } from "@tanstack/react-router";
import { copiesOf } from "@/api/copies";
import { useRefusal } from "@/api/me";
import type { Agent, AgentStats, Limit } from "@/api/types";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { type Choice, ThingHead } from "@/ui/display/ThingHead";
import { ThingId } from "@/ui/display/ThingId";
import type { OpenDialog } from "./AgentDialogs";
import { AgentHealth } from "./AgentHealth";
import { describeCard } from "./card";
import type { AgentAction, useAgentAction } from "./mutations";
import { describeProtocol } from "./protocols";

type HeadProps = {
  agent: Agent;
  stats?: AgentStats;
  limit?: Limit;
  act: ReturnType<typeof useAgentAction>;
  open: (what: OpenDialog["what"]) => void;
};

const VERBS = {
  resume: { words: "Resume agent", operation: "resume_agent" },
  enable: { words: "Enable agent", operation: "patch_agent" },
  close: { words: "Close circuit", operation: "patch_agent" },
  pause: { words: "Pause agent", operation: "pause_agent" },
} as const satisfies Partial<Record<AgentAction, object>>;

/** Pick the action that gives an agent work again; nothing where it has work, or is to be tried. */
function findRemedy({ enabled, paused, circuit }: Agent): "enable" | "resume" | "close" | null {
  if (!enabled) return "enable";
  if (paused) return "resume";
  return circuit === "CLOSED" ? null : "close";
}

/** Head of an agent's page: what gives it work again is its button, all else is in its menu. */
export function AgentHead({ agent, stats, limit, act, open }: HeadProps) {
  const navigate = useNavigate();
  const refuse = useRefusal();
  const remedy = findRemedy(agent);
  const run = (action: AgentAction) => act.mutate({ agent, action });
  const tryIt = () => void navigate({ to: "/agents/$id/try", params: { id: agent.id } });
  const note = describeCard(agent);
  const choose = (action: keyof typeof VERBS, impossible: string | false): Choice => ({
    words: VERBS[action].words,
    onSelect: () => run(action),
    reason: refuse(VERBS[action].operation) ?? (impossible || null),
  });
  const choices: Choice[] = [
    { words: "Try", onSelect: tryIt },
    { words: "Edit", onSelect: () => open("edit"), reason: refuse("patch_agent") },
    { words: "Limits", onSelect: () => open("limit") },
    choose("pause", agent.paused && "It is paused already."),
    choose("resume", !agent.paused && "It is not paused."),
    choose(
      "close",
      agent.circuit === "CLOSED" ? "Its circuit is closed." : !agent.enabled && "It is disabled: enable it instead.",
    ),
    agent.enabled
      ? { words: "Disable…", onSelect: () => open("disable"), reason: refuse("disable_agent") }
      : choose("enable", false),
  ];
  return (
    <ThingHead
      badge={<AgentHealth agent={agent} stats={stats} isBrief />}
      title={agent.name}
      facts={[
        [
          "Calls now",
          stats && `${formatCount(stats.running)}${limit?.concurrency == null ? "" : ` of ${limit.concurrency}`}`,
        ],
        ["Waiting", stats && stats.queued > 0 && formatCount(stats.queued)],
        ["By", <bdi key="by">{describeProtocol(agent)}</bdi>],
        [
          "At",
          <bdi key="at" className="font-mono text-xs">
            {agent.url}
          </bdi>,
        ],
        ["Can", agent.capabilities?.length ? <bdi key="can">{agent.capabilities.join(", ")}</bdi> : null],
        ["Tenant", agent.tenant !== "default" && <bdi key="tenant">{agent.tenant}</bdi>],
        [
          "Card",
          note && (
            <button key="card" type="button" onClick={() => open("edit")} className="min-h-6 text-accent underline">
              {note}
            </button>
          ),
        ],
        ["Id", <ThingId key="id" id={agent.id} />],
      ]}
      step={
        remedy ? (
          <Button kind="primary" reason={refuse(VERBS[remedy].operation)} onClick={() => run(remedy)}>
            {VERBS[remedy].words}
          </Button>
        ) : (
          <Button onClick={tryIt}>Try</Button>
        )
      }
      choices={choices}
      copies={copiesOf("agent", agent.id)}
    />
  );
}
