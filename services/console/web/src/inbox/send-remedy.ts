import { api } from "@/api/client";
import type { Remedy } from "./describe-group";

/** Send what resumes, enables or closes what a group waits for; read once somebody asks for it. */
export function sendRemedy({ does, what, id }: Remedy): Promise<unknown> {
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
