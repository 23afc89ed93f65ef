import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import { toApiError } from "@/api/problem";
import type { AgentTry, NewAgentTry } from "@/api/types";
import { parseJson, stringifyJson } from "@/lib/exact-json";

const ASKED_EVERY_MS = 1_000;
const LISTED_EVERY_MS = 5_000;
/** The newest tries that are listed. */
const LISTED = 20;

/** Whether a try has ended. */
export const isDone = ({ state }: AgentTry): boolean => state === "DONE";

/** What an agent is asked in a try, as it is typed. */
export type TryValues = { title: string; description: string; criteria: string; payload: string; check: boolean };

export const EMPTY_TRY: TryValues = { title: "", description: "", criteria: "", payload: "", check: false };

/** Build the request of a try. SyntaxError: the payload is not JSON. */
export function toNewTry({ title, description, criteria, payload, check }: TryValues): NewAgentTry {
  return {
    ...(title.trim() !== "" && { title: title.trim() }),
    ...(payload.trim() !== "" && { payload: parseJson(payload) }),
    description,
    acceptance_criteria: criteria,
    check,
  };
}

export const triesQuery = (agentId: string) =>
  queryOptions({
    queryKey: ["agents", "tries", agentId],
    queryFn: async ({ signal }): Promise<AgentTry[]> => {
      const query = { page_size: LISTED };
      return (await api.get("/api/agents/{agent_id}/tries", { path: { agent_id: agentId }, query, signal })).items;
    },
    // Others ask for tries, too; and those that are listed come to an end.
    refetchInterval: ({ state }) => (state.data?.every(isDone) === false ? ASKED_EVERY_MS : LISTED_EVERY_MS),
  });

/** Asks for a try of an agent. */
export function useTryAgent(agentId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["agents", "try"],
    mutationFn: (body: NewAgentTry): Promise<AgentTry> =>
      withIdempotencyKey(`try/${agentId}/${stringifyJson(body)}`, (idempotencyKey) =>
        api.post("/api/agents/{agent_id}/tries", { path: { agent_id: agentId }, body, idempotencyKey }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: triesQuery(agentId).queryKey }),
  });
}

/** Read a try, again and again until it has ended; also past a console that is away for a while. */
export function useAgentTry(agentId: string, id: string | undefined) {
  return useQuery<AgentTry>({
    queryKey: ["agents", "try", agentId, id],
    enabled: id !== undefined,
    refetchInterval: ({ state: { data, error } }) =>
      (data && isDone(data)) || (error && !toApiError(error).isTransient) ? false : ASKED_EVERY_MS,
    queryFn: ({ signal }): Promise<AgentTry> =>
      api.get("/api/agents/{agent_id}/tries/{try_id}", { path: { agent_id: agentId, try_id: id ?? "" }, signal }),
  });
}
