import { useMutation } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import type { Agent, NewAgent } from "@/api/types";
import { useRefetchLimited } from "@/limits/mutations";

export type AgentAction = "pause" | "resume" | "disable" | "enable";

const PATHS = {
  pause: "/api/agents/{agent_id}/pause",
  resume: "/api/agents/{agent_id}/resume",
  disable: "/api/agents/{agent_id}/disable",
} as const;

export function useAgentAction() {
  const onSuccess = useRefetchLimited();
  return useMutation({
    mutationKey: ["agents", "act"],
    mutationFn: ({ agent, action }: { agent: Agent; action: AgentAction }): Promise<Agent> => {
      const path = { agent_id: agent.id };
      if (action !== "enable") return api.post(PATHS[action], { path });
      return api.put("/api/agents/{agent_id}", { path, body: { ...toWritableAgent(agent), enabled: true } });
    },
    onSuccess,
  });
}

/** Return the fields of an agent that a client may write: all but those that the jobstore sets. */
export function toWritableAgent(agent: Agent): NewAgent {
  const {
    circuit: _,
    circuit_open_until: __,
    paused: ___,
    version: ____,
    created_at: _____,
    updated_at: ______,
    ...fields
  } = agent;
  return fields as NewAgent;
}

/** Registers an agent, or replaces all fields of one that is there. */
export function useSaveAgent(id?: string) {
  const onSuccess = useRefetchLimited();
  return useMutation({
    mutationKey: ["agents", "save"],
    mutationFn: (body: NewAgent): Promise<Agent> =>
      id === undefined
        ? withIdempotencyKey(`agent/${JSON.stringify(body)}`, (idempotencyKey) =>
            api.post("/api/agents", { body, idempotencyKey }),
          )
        : api.put("/api/agents/{agent_id}", { path: { agent_id: id }, body }),
    onSuccess,
  });
}
