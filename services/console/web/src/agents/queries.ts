import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { readAll } from "@/api/pages";
import type { Agent, AgentStats, Job, JobStatus } from "@/api/types";

const STATS_EVERY_MS = 10_000;

export const agentQuery = (id: string) =>
  queryOptions({
    queryKey: ["agents", "one", id],
    queryFn: ({ signal }): Promise<Agent> => api.get("/api/agents/{agent_id}", { path: { agent_id: id }, signal }),
  });

/** Query of each agent's stats; polled, and stale when jobs change. */
export const statsQuery = queryOptions({
  queryKey: ["agents", "stats"],
  refetchInterval: STATS_EVERY_MS,
  queryFn: ({ signal }): Promise<AgentStats[]> =>
    readAll((page) => api.get("/api/agent-stats", { query: page, signal })),
});

/** Query of one agent's stats, with what is read of one alone; null: it had nothing to do. */
export const statsOfQuery = (id: string) =>
  queryOptions({
    queryKey: [...statsQuery.queryKey, id],
    refetchInterval: STATS_EVERY_MS,
    queryFn: async ({ signal }): Promise<AgentStats | null> =>
      (await api.get("/api/agent-stats", { query: { agent_id: id }, signal })).items[0] ?? null,
  });

/** Jobs of an agent that are shown on its page. */
const JOBS_SHOWN = 10;

/** Query of the newest jobs of an agent, or of those that it works on. */
export const jobsOfQuery = (id: string, status?: JobStatus) =>
  queryOptions({
    queryKey: [...statsQuery.queryKey, id, "jobs", status ?? "any"],
    refetchInterval: STATS_EVERY_MS,
    queryFn: async ({ signal }): Promise<Job[]> => {
      const query = { agent_id: id, page_size: JOBS_SHOWN, ...(status && { status: [status] }) };
      return (await api.get("/api/jobs", { query, signal })).items as Job[];
    },
  });

/** Stats of an agent of which the console reports none: it has had nothing to do. */
export const idle = (id: string): AgentStats => ({
  agent_id: id,
  running: 0,
  queued: 0,
  ended: 0,
  completed: 0,
  refused: 0,
  cost_usd: "0",
  tokens: 0,
  failures: {},
  refusals: {},
  circuit_changes: [],
});
