import { queryOptions } from "@tanstack/react-query";
import { isolateText } from "@/lib/isolate-text";
import { api } from "./client";
import type { Agent } from "./types";

const AGENTS_STALE_MS = 60_000;

export const agentsQuery = queryOptions({
  queryKey: ["agents", "list", "all"],
  staleTime: AGENTS_STALE_MS,
  queryFn: async ({ signal }): Promise<Agent[]> => {
    const answer = await api.get("/api/agents", { query: { limit: 500 }, signal });
    return answer.items;
  },
});

/** The name of an agent and, where that is another, its id. */
export const agentName = ({ id, name }: Agent) =>
  name === id ? isolateText(id) : `${isolateText(name)} (${isolateText(id)})`;
