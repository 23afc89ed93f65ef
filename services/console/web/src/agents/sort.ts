import type { Agent, AgentStats, Limit } from "@/api/types";
import { describeHealth } from "./health";

/** Row of the agents' table: an agent with its stats and its limit, as far as they are known. */
export type AgentEntry = { agent: Agent; stats?: AgentStats; limit?: Limit };

const HEALTHS = [
  "Circuit open",
  "Trying again",
  "Failing",
  "Not accepted",
  "Paused",
  "Disabled",
  "Ready",
] as readonly string[];

/** Value by which agents are sorted in each column; those without one come last. */
const VALUES = {
  agent: ({ agent }) => agent.name.toLowerCase(),
  health: ({ agent, stats }) => HEALTHS.indexOf(describeHealth(agent, stats).word),
  load: ({ stats }) => stats && -(stats.running + stats.queued),
  success: ({ stats }) => stats?.success_rate,
  answers: ({ stats }) => stats?.mean_agent_s && -stats.mean_agent_s,
  cost: ({ stats }) => stats?.mean_cost_usd && -Number(stats.mean_cost_usd),
  limits: ({ limit }) => limit?.concurrency,
} as const satisfies Record<string, (entry: AgentEntry) => string | number | null | undefined>;

export type AgentSort = keyof typeof VALUES;
/** Search parameters of the agents' page: by which column they are sorted, and whether the other way round. */
export type AgentsSearch = { register?: true; by?: AgentSort; reverse?: true };

/** Read the search parameters of an address; what is not understood is left out. */
export function parseAgentsSearch(search: Record<string, string | string[] | undefined>): AgentsSearch {
  const by = String(search.by);
  return {
    ...(String(search.register) === "true" && { register: true }),
    ...(Object.hasOwn(VALUES, by) && { by: by as AgentSort }),
    ...(String(search.reverse) === "true" && { reverse: true }),
  };
}

/** Sort agents by a column: what needs attention first (the least well, slowest, dearest), or the other way round. */
export function sortAgents(entries: readonly AgentEntry[], { by = "agent", reverse }: AgentsSearch): AgentEntry[] {
  const sign = reverse ? -1 : 1;
  return entries.toSorted((one, other) => {
    const [a, b] = [VALUES[by](one), VALUES[by](other)];
    if (a == null || b == null) return Number(a == null) - Number(b == null);
    return a < b ? -sign : a > b ? sign : 0;
  });
}
