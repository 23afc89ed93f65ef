import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { AgentStats } from "@/api/types";

const STATS_EVERY_MS = 10_000;

/** Query of each agent's stats; polled, and stale when jobs change. */
export const statsQuery = queryOptions({
  queryKey: ["agents", "stats"],
  refetchInterval: STATS_EVERY_MS,
  queryFn: async ({ signal }): Promise<AgentStats[]> => (await api.get("/api/agent-stats", { signal })).items,
});
