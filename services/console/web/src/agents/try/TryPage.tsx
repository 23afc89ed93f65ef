import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { describeProtocol } from "@/agents/protocols";
import { agentQuery } from "@/agents/queries";
import { ReadState } from "@/api/ProblemState";
import { useTitle } from "@/lib/use-title";
import { Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { TryForm } from "./TryForm";
import { TryOutcome } from "./TryOutcome";
import { isDone, triesQuery } from "./tries";

/** Page on which an agent is called once without a job, with what it was sent, and what it answered. */
export function TryPage({ agentId, tryId }: { agentId: string; tryId?: string }) {
  const agent = useQuery(agentQuery(agentId));
  useTitle(agent.data ? `Try ${agent.data.name}` : "Try an agent");
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <nav aria-label="Around the agent" className="text-muted">
        <Link to="/agents/$id" params={{ id: agentId }} className="inline-flex min-h-6 items-center hover:text-text">
          <ChevronLeft aria-hidden size={14} /> The agent
        </Link>
      </nav>
      <ReadState query={agent} what="the agent">
        <Skeleton className="h-80" />
      </ReadState>
      {agent.data && (
        <>
          <div>
            <h1 className="text-xl font-semibold wrap-anywhere">
              Try <bdi>{agent.data.name}</bdi>
            </h1>
            <p className="text-muted">
              <bdi className="wrap-anywhere">{describeProtocol(agent.data)}</bdi>. It is called through an executor, and
              paid as for any call. No job is made and no statistic counts it; a try is kept for a day.
            </p>
          </div>
          <div className="grid gap-6 lg:grid-cols-2">
            <div className="min-w-0 space-y-6">
              <TryForm agentId={agentId} />
              <EarlierTries agentId={agentId} shown={tryId} />
            </div>
            <TryOutcome agentId={agentId} id={tryId} />
          </div>
        </>
      )}
    </div>
  );
}

function EarlierTries({ agentId, shown }: { agentId: string; shown?: string }) {
  const tries = useQuery(triesQuery(agentId)).data ?? [];
  if (tries.length === 0) return null;
  return (
    <section aria-label="Tries of the last day" className="space-y-1">
      <h2 className="font-medium">Tries of the last day</h2>
      <ul className="text-xs">
        {tries.map((each) => (
          <li key={each.id}>
            <Link
              to="/agents/$id/try"
              params={{ id: agentId }}
              search={{ try: each.id }}
              resetScroll={false}
              aria-current={each.id === shown ? "true" : undefined}
              className="inline-flex min-h-6 items-center gap-2 text-accent underline aria-[current]:font-medium aria-[current]:text-text"
            >
              <Time at={each.created_at} /> {isDone(each) ? (each.code ?? "a result") : "under way"}
              {each.check && ", with checks"}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
