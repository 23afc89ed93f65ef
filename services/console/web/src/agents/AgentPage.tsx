import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { ProblemState, ReadState } from "@/api/ProblemState";
import type { Agent, AgentStats, Job, Limit } from "@/api/types";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { useKeptState } from "@/lib/kept";
import { useTitle } from "@/lib/use-title";
import { describeLimit } from "@/limits/describe-limit";
import { findLimit, limitsQuery } from "@/limits/queries";
import { POLICY_FIELDS, toPolicyValues } from "@/policy/policy";
import { Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { AgentDialogs, type OpenDialog } from "./AgentDialogs";
import { AgentFigures, AgentTroubles, CircuitHistory, Section } from "./AgentFigures";
import { AgentHead } from "./AgentHead";
import { explainHealth } from "./health";
import { useAgentAction } from "./mutations";
import { agentQuery, idle, jobsOfQuery, statsOfQuery } from "./queries";

/** One agent: how it does and why, what it works on, what bounds it, and what can be done about it. */
export function AgentPage({ id }: { id: string }) {
  const query = useQuery(agentQuery(id));
  const figures = useQuery(statsOfQuery(id));
  const stats = figures.data === null ? idle(id) : figures.data;
  const calls = useQuery(jobsOfQuery(id, "IN_PROGRESS"));
  const newest = useQuery(jobsOfQuery(id));
  const limits = useQuery(limitsQuery(null)).data ?? []; // also those of all agents
  // What stands further down would move if a list above it were shown later.
  const isComplete = ![figures, calls, newest].some((each) => each.isPending);
  const agent = query.data;
  useTitle(agent ? agent.name : "Agent");
  const [what, open] = useKeptState<OpenDialog["what"] | null>("dialog", null);
  const act = useAgentAction();
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <nav aria-label="Around this agent" className="text-muted">
        <Link to="/agents" search={{}} className="inline-flex min-h-6 items-center hover:text-text">
          <ChevronLeft aria-hidden size={14} /> Agents
        </Link>
      </nav>
      <ReadState query={query} what="the agent">
        <div className="space-y-6">
          <Skeleton className="h-24" />
          <Skeleton className="h-48" />
        </div>
      </ReadState>
      {agent && !isComplete && <Skeleton className="h-80" />}
      {agent && isComplete && (
        <>
          <AgentHead agent={agent} stats={stats} limit={findLimit(limits, `agent:${id}`)} act={act} open={open} />
          {what !== "disable" && <ProblemState error={act.error} />}
          <Cause agent={agent} stats={stats} />
          {stats && (
            <>
              <AgentFigures stats={stats} />
              <AgentTroubles id={id} stats={stats} />
            </>
          )}
          <div className="grid gap-6 md:grid-cols-2">
            <Jobs id={id} title="Calls now" query={calls} status="IN_PROGRESS" none="It works on nothing now." />
            <Jobs id={id} title="Newest jobs" query={newest} none="It has had no job." />
            {stats && <CircuitHistory stats={stats} />}
            <Bounds agent={agent} limit={findLimit(limits, `agent:${id}`)} onEdit={() => open("edit")} />
          </div>
          <AgentDialogs dialog={what && { agent, what }} limits={limits} act={act} onClose={() => open(null)} />
        </>
      )}
    </div>
  );
}

/** Why the agent is not well; it has its room only where there is something to say. */
function Cause({ agent, stats }: { agent: Agent; stats?: AgentStats }) {
  const cause = explainHealth(agent, stats);
  return cause && <p className="rounded border border-control bg-sunken p-3 wrap-anywhere">{cause}</p>;
}

type JobsProps = {
  id: string;
  title: string;
  query: Pick<UseQueryResult<Job[]>, "data" | "error">;
  status?: "IN_PROGRESS";
  none: string;
};

function Jobs({ id, title, query, status, none }: JobsProps) {
  return (
    <Section title={title}>
      <ProblemState error={query.error} />
      {query.data?.length === 0 && <p className="text-muted">{none}</p>}
      {query.data && query.data.length > 0 && (
        <ul className="divide-y border-y">
          {query.data.map((job) => (
            <JobLine key={job.id} job={job} />
          ))}
        </ul>
      )}
      <Link
        to="/jobs"
        search={{ agent: id, ...(status && { status: [status] }) }}
        className="inline-flex min-h-6 items-center text-accent underline"
      >
        {status ? "All that it works on" : "All its jobs"}
      </Link>
    </Section>
  );
}

function JobLine({ job }: { job: Job }) {
  return (
    <li className="flex min-h-10 items-center gap-3 py-1">
      <JobStatusBadge status={job.status} isLive={job.live} isCancelled={job.cancelled} />
      <Link to="/jobs/$id" params={{ id: job.id }} className="min-w-0 grow truncate font-medium hover:underline">
        <bdi>{job.title}</bdi>
      </Link>
      <Time at={job.updated_at} className="text-xs whitespace-nowrap text-muted" />
    </li>
  );
}

/** Limits and policy in place. */
function Bounds({ agent, limit, onEdit }: { agent: Agent; limit?: Limit; onEdit: () => void }) {
  const values = toPolicyValues(agent.policy ?? {});
  const set = POLICY_FIELDS.filter(({ key }) => values[key] !== "");
  return (
    <Section title="Limits and policy">
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 [&_dt]:text-muted">
        <dt>Limit</dt>
        <dd>
          {limit ? describeLimit(limit) : "none"}
          {limit && limit.name !== `agent:${agent.id}` && ", as for each agent"}
        </dd>
        {set.map(({ key, label, ...field }) => (
          <PolicyLine key={key} label={label} value={values[key]} choices={"choices" in field ? field.choices : {}} />
        ))}
      </dl>
      {set.length === 0 && <p className="text-muted">Its policy is the service's own; a job's policy comes first.</p>}
      <button type="button" onClick={onEdit} className="inline-flex min-h-6 items-center text-accent underline">
        Change its policy
      </button>
    </Section>
  );
}

function PolicyLine({ label, value, choices }: { label: string; value: string; choices: Record<string, string> }) {
  return (
    <>
      <dt>{label}</dt>
      <dd className="wrap-anywhere">{choices[value] ?? value}</dd>
    </>
  );
}
