import { useMutation } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import type { Agent, NewAgent } from "@/api/types";
import { makePatch } from "@/lib/merge-patch";
import { useRefetchLimited } from "@/limits/mutations";
import { toAgentValues, toNewAgent } from "./agent-values";

export type AgentAction = "pause" | "resume" | "disable" | "enable" | "close";

const PATHS = {
  pause: "/api/agents/{agent_id}/pause",
  resume: "/api/agents/{agent_id}/resume",
  disable: "/api/agents/{agent_id}/disable",
} as const;

export function useAgentAction() {
  const onSettled = useRefetchLimited();
  return useMutation({
    mutationKey: ["agents", "act"],
    mutationFn: ({ agent, action }: { agent: Agent; action: AgentAction }): Promise<Agent> => {
      const seen = { path: { agent_id: agent.id }, ifMatch: agent.version };
      if (action !== "enable" && action !== "close") return api.post(PATHS[action], seen);
      // Any change of an agent closes its circuit.
      return api.patch("/api/agents/{agent_id}", { ...seen, body: { enabled: true } });
    },
    onSettled,
  });
}

/** Registers an agent, or changes fields of one as it was seen. */
export function useSaveAgent(base?: Agent) {
  const onSuccess = useRefetchLimited();
  return useMutation({
    mutationKey: ["agents", "save"],
    mutationFn: (body: NewAgent): Promise<Agent> =>
      base === undefined
        ? withIdempotencyKey(`agent/${JSON.stringify(body)}`, (idempotencyKey) =>
            api.post("/api/agents", { body, idempotencyKey }),
          )
        : api.patch("/api/agents/{agent_id}", {
            path: { agent_id: base.id },
            body: makePatch(toNewAgent(toAgentValues(base), base), body),
            ifMatch: base.version,
          }),
    onSuccess,
  });
}
