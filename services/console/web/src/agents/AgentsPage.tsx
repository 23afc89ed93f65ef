import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { agentsQuery, isUsable } from "@/api/agents";
import { useRefusal } from "@/api/me";
import { ProblemState, ReadState } from "@/api/ProblemState";
import { useTenant } from "@/api/tenants";
import type { Agent } from "@/api/types";
import { useKeptState } from "@/lib/kept";
import { useTitle } from "@/lib/use-title";
import { findLimit, limitsQuery } from "@/limits/queries";
import { Button } from "@/ui/controls/button";
import { SortHead } from "@/ui/controls/sort-head";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { AgentDialogs, type OpenDialog } from "./AgentDialogs";
import { AgentRow } from "./AgentRow";
import { isCardAwaited } from "./card";
import { type AgentAction, useAgentAction } from "./mutations";
import { idle, statsQuery } from "./queries";
import { type AgentSort, type AgentsSearch, sortAgents } from "./sort";

/** How often it is looked whether an executor has read a card that none has read yet. */
const CARD_POLL_MS = 5_000;

/** Widths of the columns; the agents have what is left. Where that is too little, each agent is a card. */
const COLUMNS: Record<AgentSort, [name: string, width: string]> = {
  agent: ["Agent", ""],
  health: ["Health", "w-44"],
  load: ["Load", "w-44"],
  success: ["Success", "w-22 text-right"],
  answers: ["Answers in", "w-32 text-right"],
  cost: ["Cost a job", "w-26 text-right lg:max-xl:hidden"],
  limits: ["Limits", "w-36 lg:pl-6"],
};

/** Page of all agents, with their health, load and limits. */
export function AgentsPage({ search = {} }: { search?: AgentsSearch }) {
  const isRegistering = search.register === true;
  useTitle("Agents");
  const agents = useQuery({
    ...agentsQuery,
    refetchInterval: ({ state }) => (state.data?.some(isCardAwaited) ? CARD_POLL_MS : false),
  });
  const { data: stats, isPending: isUncounted } = useQuery(statsQuery); // without them rows would grow once they are there
  const limits = useQuery(limitsQuery(null)).data ?? []; // also those of all agents
  const [dialog, setDialog] = useKeptState<OpenDialog | null>("dialog", isRegistering ? { what: "edit" } : null);
  const act = useAgentAction();
  const navigate = useNavigate();
  const refuse = useRefusal();
  const tenant = useTenant();
  const listed = isUncounted ? undefined : agents.data;
  const entries = listed
    ?.filter((agent) => isUsable(agent, tenant))
    .map((agent) => ({
      agent,
      stats: stats && (stats.find((each) => each.agent_id === agent.id) ?? idle(agent.id)),
      limit: findLimit(limits, `agent:${agent.id}`),
    }));
  const shown = entries && sortAgents(entries, search);
  const sortBy = (sort: AgentSort) => {
    const isAgain = sort === (search.by ?? "agent");
    void navigate({
      to: "/agents",
      search: { by: sort, ...(isAgain && !search.reverse && { reverse: true }) },
      replace: true,
    });
  };
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
        <Link to="/system/limits" className="ml-auto inline-flex min-h-6 items-center text-accent underline">
          All limits
        </Link>
        <Button kind="primary" reason={refuse("create_agent")} onClick={() => setDialog({ what: "edit" })}>
          <Plus aria-hidden size={14} /> Register an agent
        </Button>
      </div>
      {dialog?.what !== "disable" && <ProblemState error={act.error} />}
      <ReadState query={{ ...agents, isPending: agents.isPending || isUncounted }} what="agents">
        <div className="space-y-2">
          <Skeleton className="h-12" />
          <Skeleton className="h-12" />
        </div>
      </ReadState>
      {shown?.length === 0 && (
        <EmptyState title="No agents yet" command="signoff agents create --name NAME --url URL">
          <p>
            An agent does the work: a model behind OpenAI's API, a graph on a LangGraph server, an A2A server, or a
            service that is called over HTTP and answers at once, or says later how its work stands.
          </p>
        </EmptyState>
      )}
      {shown && shown.length > 0 && (
        <label className="flex items-center gap-2 lg:hidden">
          <span className="text-muted">Sort by</span>
          <select
            value={search.by ?? "agent"}
            onChange={(event) => sortBy(event.target.value as AgentSort)}
            className="h-8 rounded border border-control bg-surface px-2 pointer-coarse:h-11"
          >
            {SORTS.map((sort) => (
              <option key={sort} value={sort}>
                {COLUMNS[sort][0]}
              </option>
            ))}
          </select>
        </label>
      )}
      {shown && shown.length > 0 && (
        <table className="block w-full table-fixed border-collapse lg:table">
          <caption className="sr-only">Agents</caption>
          <thead className="max-lg:sr-only">
            <tr className="h-8 border-b text-left">
              {SORTS.map((sort) => (
                <SortHead
                  key={sort}
                  name={COLUMNS[sort][0]}
                  order={sort === (search.by ?? "agent") ? (search.reverse ? "descending" : "ascending") : undefined}
                  onSort={() => sortBy(sort)}
                  className={COLUMNS[sort][1]}
                />
              ))}
              <th scope="col" className="w-36">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody className="max-lg:block">
            {shown.map(({ agent, stats, limit }) => (
              <AgentRow
                key={agent.id}
                agent={agent}
                stats={stats}
                limit={limit}
                onAct={(action) => choose(agent, action)}
                onTry={() => void navigate({ to: "/agents/$id/try", params: { id: agent.id } })}
                onEdit={() => setDialog({ agent, what: "edit" })}
                onLimit={() => setDialog({ agent, what: "limit" })}
              />
            ))}
          </tbody>
        </table>
      )}
      <AgentDialogs dialog={dialog} limits={limits} act={act} onClose={close} />
    </div>
  );
}

const SORTS = Object.keys(COLUMNS) as AgentSort[];
