import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { AgentStats } from "@/api/types";

const STATS_EVERY_MS = 10_000;

/** How each agent is doing, by its id; changes of jobs make it stale. */
export const statsQuery = queryOptions({
  queryKey: ["agents", "stats"],
  refetchInterval: STATS_EVERY_MS,
  queryFn: async ({ signal }): Promise<AgentStats[]> => (await api.get("/api/agent-stats", { signal })).items,
});
