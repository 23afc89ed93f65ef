import { ProblemState } from "@/api/ProblemState";
import type { Agent, Limit } from "@/api/types";
import { LimitDialog } from "@/limits/LimitDialog";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { AgentDialog } from "./AgentDialog";
import type { useAgentAction } from "./mutations";

export type OpenDialog = { agent?: Agent; what: "edit" | "limit" | "disable" };

type AgentDialogsProps = {
  dialog: OpenDialog | null;
  limits: readonly Limit[];
  act: ReturnType<typeof useAgentAction>;
  onClose: () => void;
};

/** Dialog of an agent that is open: its form, its limits, or whether it is to be disabled. */
export function AgentDialogs({ dialog, limits, act, onClose }: AgentDialogsProps) {
  const agent = dialog?.agent;
  if (dialog?.what === "edit") return <AgentDialog agent={agent} onClose={onClose} />;
  if (!agent) return null;
  if (dialog.what === "disable") return <Disable agent={agent} act={act} onClose={onClose} />;
  const name = `agent:${agent.id}`;
  return <LimitDialog name={name} limit={limits.find((limit) => limit.name === name)} onClose={onClose} />;
}

type DisableProps = { agent: Agent; act: ReturnType<typeof useAgentAction>; onClose: () => void };

function Disable({ agent, act, onClose }: DisableProps) {
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Disable ${agent.name}?`}
      verb="Disable"
      kind="danger"
      isPending={act.isPending}
      onConfirm={() => act.mutate({ agent, action: "disable" }, { onSuccess: onClose })}
      fields={<ProblemState error={act.error} />}
    >
      <p>It gets no more work, and no job can be assigned to it. What it is doing goes on; it can be enabled again.</p>
    </AlertDialog>
  );
}
