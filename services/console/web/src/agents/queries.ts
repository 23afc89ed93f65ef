import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { readAll } from "@/api/pages";
import type { AgentStats } from "@/api/types";

const STATS_EVERY_MS = 10_000;

/** Query of each agent's stats; polled, and stale when jobs change. */
export const statsQuery = queryOptions({
  queryKey: ["agents", "stats"],
  refetchInterval: STATS_EVERY_MS,
  queryFn: ({ signal }): Promise<AgentStats[]> =>
    readAll((page) => api.get("/api/agent-stats", { query: page, signal })),
});
