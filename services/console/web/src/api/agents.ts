import { queryOptions, useQuery } from "@tanstack/react-query";
import { isolateText } from "@/lib/isolate-text";
import { api } from "./client";
import type { Agent } from "./types";

const AGENTS_STALE_MS = 60_000;
const UUIDS = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;

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

/** Return how agents are named: one by its id, or all whose generated ids stand in a text. An unknown id stays. */
export function useAgentNames() {
  const agents = useQuery(agentsQuery).data;
  const nameOf = (id: string) => agents?.find((agent) => agent.id === id)?.name ?? id;
  return { nameOf, nameAllIn: (text: string) => text.replace(UUIDS, (id) => isolateText(nameOf(id))) };
}
