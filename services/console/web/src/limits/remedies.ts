import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Change } from "@/api/me";
import { jobKeys } from "@/api/query-keys";
import type { WaitReason } from "@/api/types";
import { useRefetchLimited } from "./mutations";

/** What lifts a cause of waiting at once, by the word of its button; a limit is raised in its form. */
export type Remedy = { words: string; id: string; operation: Change } & (
  | { does: "resume"; what: "agent" | "tenant" | "batch" | "limit" }
  | { does: "enable" }
  | { does: "raise" }
);

const RESUMED: Record<string, { what: "agent" | "tenant" | "batch"; operation: Change }> = {
  agent: { what: "agent", operation: "resume_agent" },
  tenant: { what: "tenant", operation: "resume_tenant" },
  batch: { what: "batch", operation: "resume_batch" },
};

/** Find what lifts a cause at once; null where no button does. */
export function findRemedy({ code, name }: Pick<WaitReason, "code" | "name">): Remedy | null {
  const [kind = "", ...rest] = name.split(":");
  const value = rest.join(":");
  if (code === "limit_paused") {
    const resumed = value === "*" ? undefined : RESUMED[kind];
    if (!resumed) return { words: "Resume", does: "resume", what: "limit", id: name, operation: "patch_limit" };
    return { words: `Resume ${kind}`, does: "resume", id: value, ...resumed };
  }
  if (code === "limit_concurrency" || code === "limit_rate" || code === "limit_usd_per_day")
    return { words: "Raise the limit", does: "raise", id: name, operation: "set_limit" };
  if (code === "circuit_open" || code === "circuit_probing")
    return { words: "Close circuit", does: "enable", id: name, operation: "patch_agent" };
  return code === "agent_disabled"
    ? { words: "Enable agent", does: "enable", id: name, operation: "patch_agent" }
    : null;
}

/** What says why something waits, besides agents and limits. */
const WAITING_KEYS = [jobKeys.allWaiting, ["inbox"], ["batches"], ["batch"]];

/** Lifts a cause of waiting, and asks again why anything waits. */
export function useRemedy() {
  const client = useQueryClient();
  const refetchLimited = useRefetchLimited();
  return useMutation({
    mutationKey: ["remedy"],
    mutationFn: send,
    onSettled: () =>
      Promise.all([refetchLimited(), ...WAITING_KEYS.map((queryKey) => client.invalidateQueries({ queryKey }))]),
  });
}

function send(remedy: Remedy): Promise<unknown> {
  const { id } = remedy;
  // Any change of an agent closes its circuit.
  if (remedy.does === "enable")
    return api.patch("/api/agents/{agent_id}", { path: { agent_id: id }, body: { enabled: true } });
  switch (remedy.does === "resume" ? remedy.what : "limit") {
    case "agent":
      return api.post("/api/agents/{agent_id}/resume", { path: { agent_id: id } });
    case "tenant":
      return api.post("/api/tenants/{tenant}/resume", { path: { tenant: id } });
    case "batch":
      return api.post("/api/operations/{operation_id}/resume", { path: { operation_id: id } });
    case "limit":
      return api.patch("/api/limits/{name}", { path: { name: id }, body: { paused: false } });
  }
}
