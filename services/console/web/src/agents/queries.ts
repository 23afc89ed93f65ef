import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { AgentStats, Limit } from "@/api/types";

const STATS_EVERY_MS = 10_000;

export const limitKeys = { all: ["limits"] as const };

/** How each agent is doing, by its id; changes of jobs make it stale. */
export const statsQuery = queryOptions({
  queryKey: ["agents", "stats"],
  refetchInterval: STATS_EVERY_MS,
  queryFn: async ({ signal }): Promise<AgentStats[]> => (await api.get("/api/agents/stats", { signal })).items,
});

export const limitsQuery = queryOptions({
  queryKey: limitKeys.all,
  queryFn: async ({ signal }): Promise<Limit[]> => (await api.get("/api/limits", { signal })).items,
});

/** The limit that holds for a name: its own, or that of all of its kind. */
export function limitOf(limits: readonly Limit[], name: string): Limit | undefined {
  const [kind] = name.split(":");
  return limits.find((limit) => limit.name === name) ?? limits.find((limit) => limit.name === `${kind}:*`);
}
