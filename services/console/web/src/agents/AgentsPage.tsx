import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { agentsQuery, isUsable } from "@/api/agents";
import { useRefusal } from "@/api/me";
import { ProblemState, ReadState } from "@/api/ProblemState";
import { useTenant } from "@/api/tenants";
import type { Agent, AgentStats } from "@/api/types";
import { useKeptState } from "@/lib/kept";
import { useTitle } from "@/lib/use-title";
import { LimitDialog } from "@/limits/LimitDialog";
import { findLimit, limitsQuery } from "@/limits/queries";
import { Button } from "@/ui/controls/button";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { AgentDialog } from "./AgentDialog";
import { AgentRow } from "./AgentRow";
import { isCardAwaited } from "./card";
import { type AgentAction, useAgentAction } from "./mutations";
import { statsQuery } from "./queries";

/** How often it is looked whether an executor has read a card that none has read yet. */
const CARD_POLL_MS = 5_000;

type OpenDialog = { agent?: Agent; what: "edit" | "limit" | "disable" };

/** Widths of the columns; the agents have what is left. Where that is too little, each agent is a card. */
const COLUMNS = {
  Agent: "",
  Health: "w-44",
  Load: "w-44",
  Success: "w-20",
  "Answers in": "w-28",
  Limits: "w-40",
};

/** Page of all agents, with their health, load and limits. */
export function AgentsPage({ isRegistering = false }: { isRegistering?: boolean }) {
  useTitle("Agents");
  const agents = useQuery({
    ...agentsQuery,
    refetchInterval: ({ state }) => (state.data?.some(isCardAwaited) ? CARD_POLL_MS : false),
  });
  const stats = useQuery(statsQuery).data;
  const limits = useQuery(limitsQuery(null)).data ?? []; // also those of all agents
  const [dialog, setDialog] = useKeptState<OpenDialog | null>("dialog", isRegistering ? { what: "edit" } : null);
  const act = useAgentAction();
  const navigate = useNavigate();
  const refuse = useRefusal();
  const tenant = useTenant();
  const shown = agents.data?.filter((agent) => isUsable(agent, tenant));
  const close = () => {
    setDialog(null);
    if (isRegistering) void navigate({ to: "/agents", search: {}, replace: true, ignoreBlocker: true });
  };
  const choose = (agent: Agent, action: AgentAction) => {
    act.reset();
    if (action === "disable") setDialog({ agent, what: "disable" });
    else act.mutate({ agent, action });
  };
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <div className="flex flex-wrap items-center gap-4">
        <h1 className="text-xl font-semibold">Agents</h1>
        <Link to="/limits" className="ml-auto inline-flex min-h-6 items-center text-accent underline">
          All limits
        </Link>
        <Button kind="primary" reason={refuse("create_agent")} onClick={() => setDialog({ what: "edit" })}>
          <Plus aria-hidden size={14} /> Register an agent
        </Button>
      </div>
      {dialog?.what !== "disable" && <ProblemState error={act.error} />}
      <ReadState query={agents} what="agents">
        <div className="space-y-2">
          <Skeleton className="h-12" />
          <Skeleton className="h-12" />
        </div>
      </ReadState>
      {shown?.length === 0 && (
        <EmptyState title="No agents yet">
          <p>
            An agent does the work: a model behind OpenAI's API, a graph on a LangGraph server, an A2A server, or a
            service that is called over HTTP and answers at once, or says later how its work stands.
          </p>
        </EmptyState>
      )}
      {shown && shown.length > 0 && (
        <table className="block w-full table-fixed border-collapse lg:table">
          <caption className="sr-only">Agents</caption>
          <thead className="max-lg:sr-only">
            <tr className="h-8 border-b text-left">
              {Object.entries(COLUMNS).map(([name, width]) => (
                <th key={name} scope="col" className={`px-2 font-medium text-muted ${width}`}>
                  {name}
                </th>
              ))}
              <th scope="col" className="w-36">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody className="max-lg:block">
            {shown.map((agent) => (
              <AgentRow
                key={agent.id}
                agent={agent}
                stats={stats && (stats.find((each) => each.agent_id === agent.id) ?? idle(agent.id))}
                limit={findLimit(limits, `agent:${agent.id}`)}
                onAct={(action) => choose(agent, action)}
                onTry={() => void navigate({ to: "/agents/$id/try", params: { id: agent.id } })}
                onEdit={() => setDialog({ agent, what: "edit" })}
                onLimit={() => setDialog({ agent, what: "limit" })}
              />
            ))}
          </tbody>
        </table>
      )}
      {dialog?.what === "edit" && <AgentDialog agent={dialog.agent} onClose={close} />}
      {dialog?.what === "limit" && dialog.agent && (
        <LimitDialog
          name={`agent:${dialog.agent.id}`}
          limit={limits.find(({ name }) => name === `agent:${dialog.agent?.id}`)}
          onClose={close}
        />
      )}
      {dialog?.what === "disable" && dialog.agent && <Disable agent={dialog.agent} act={act} onClose={close} />}
    </div>
  );
}

/** Stats of an agent that the console reports none of, once it reports others: it is idle. */
const idle = (id: string): AgentStats => ({ agent_id: id, running: 0, queued: 0 });

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
