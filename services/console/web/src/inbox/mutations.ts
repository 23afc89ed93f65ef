import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Remedy } from "./describe-group";
import { inboxKeys, noteAct } from "./queries";

/** Does what a group needs for all of it. */
export function useRemedy() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["inbox", "remedy"],
    mutationFn: (remedy: Remedy): Promise<unknown> => send(remedy),
    onSettled: () => {
      noteAct();
      for (const queryKey of [inboxKeys.all, ["agents"], ["limits"], ["batches"]])
        void client.invalidateQueries({ queryKey });
    },
  });
}

function send({ does, what, id }: Remedy): Promise<unknown> {
  // Any change of an agent closes its circuit.
  if (does === "enable")
    return api.patch("/api/agents/{agent_id}", { path: { agent_id: id }, body: { enabled: true } });
  switch (what) {
    case "agent":
      return api.post("/api/agents/{agent_id}/resume", { path: { agent_id: id } });
    case "tenant":
      return api.post("/api/tenants/{tenant}/resume", { path: { tenant: id } });
    case "operation":
      return api.post("/api/operations/{operation_id}/resume", { path: { operation_id: id } });
    default:
      return api.patch("/api/limits/{name}", { path: { name: id }, body: { paused: false } });
  }
}
