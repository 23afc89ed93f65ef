import { queryOptions, useQuery } from "@tanstack/react-query";
import { createContext, use, useMemo } from "react";
import { isolateText } from "@/lib/isolate-text";
import { api } from "./client";
import { readAll } from "./pages";
import type { Agent } from "./types";

const AGENTS_STALE_MS = 60_000;
const UUIDS = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;

export const agentsQuery = queryOptions({
  queryKey: ["agents", "list", "all"],
  staleTime: AGENTS_STALE_MS,
  queryFn: ({ signal }): Promise<Agent[]> => readAll((page) => api.get("/api/agents", { query: page, signal })),
});

/** Whether jobs of a tenant, or of any (null), may use an agent. */
export const isUsable = (agent: Agent, tenant: string | null) =>
  tenant === null || agent.tenant === tenant || agent.shared;

/** The name of an agent and, where that is another, its id. */
export const agentName = ({ id, name }: Agent) =>
  name === id ? isolateText(id) : `${isolateText(name)} (${isolateText(id)})`;

/** Names of agents by their ids, for all that names one. */
export const AgentNames = createContext<ReadonlyMap<string, string>>(new Map());

/** Read the names of agents, once for the whole page. */
export function useReadAgentNames(): ReadonlyMap<string, string> {
  const agents = useQuery(agentsQuery).data;
  return useMemo(() => new Map(agents?.map(({ id, name }) => [id, name])), [agents]);
}

/** Return how agents are named: one by its id, or all whose generated ids stand in a text. An unknown id stays. */
export function useAgentNames() {
  const names = use(AgentNames);
  const nameOf = (id: string) => names.get(id) ?? id;
  return { nameOf, nameAllIn: (text: string) => text.replace(UUIDS, (id) => isolateText(nameOf(id))) };
}
