import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { AgentName } from "@/api/AgentName";
import type { Job } from "@/api/types";
import { FACTS, FILTERS } from "@/jobs/fields";
import { findBegin } from "@/jobs/model/phase";
import { useNow } from "@/lib/clock";
import { formatCount, formatMoney, pluralize, shortenId } from "@/lib/format";
import { Countdown } from "@/ui/display/duration";
import { ThingId } from "@/ui/display/ThingId";
import { ExactTime, Time } from "@/ui/display/time";

const LINK = "text-accent hover:underline";

/** Facts that are more than the value of their field. */
const VALUES: Partial<Record<keyof Job, (job: Job) => ReactNode>> = {
  id: ({ id }) => <ThingId id={id} />,
  agent_id: (job) => <Performer job={job} />,
  batch_id: ({ batch_id: id }) => id && <Batch id={id} />,
  cost_usd: (job) => describeSpent(job) && <span title="As claimed by agents and judges">{describeSpent(job)}</span>,
};

/** List the facts of a job that are set: what is as it is without being asked for is none. */
export function useJobFacts(job: Job): [name: string, value: ReactNode][] {
  const begin = findBegin(job, useNow());
  const labels = Object.entries(job.labels ?? {});
  const facts = FACTS.map(({ key, word, name, kind, form }): [string, ReactNode] => {
    const value = job[key];
    const show = VALUES[key];
    if (show) return [name, show(job)];
    if (value == null || String(value) === form?.initial) return [name, null];
    if (kind === "time") return [name, <Time key={key} at={String(value)} />];
    if (!FILTERS.some((filter) => filter.key === key)) return [name, String(value)];
    return [
      name,
      <Link key={key} to="/jobs" search={{ [word]: String(value) }} className={LINK}>
        <bdi>{String(value)}</bdi>
      </Link>,
    ];
  });
  // The id is long known to whoever looks for it: what is new stands before.
  const [id, ...others] = facts;
  return [
    ...others,
    ["Begins", begin && <Begin key="begin" at={begin} />],
    ["Labels", labels.length > 0 && <Labels key="labels" labels={labels} />],
    ...(id ? [id] : []),
  ];
}

function Begin({ at }: { at: string }) {
  return (
    <span className="font-medium">
      at <ExactTime at={at} /> (<Countdown to={at} />)
    </span>
  );
}

function Labels({ labels }: { labels: readonly [string, string][] }) {
  return (
    <ul aria-label="Labels" className="inline-flex max-w-full flex-wrap gap-1 align-middle">
      {labels.map(([name, value]) => (
        <li key={name} className="max-w-full">
          <Link
            to="/jobs"
            search={{ label: [`${name}:${value}`] }}
            className="inline-flex min-h-6 items-center rounded bg-pending-tint px-1.5 text-xs text-pending wrap-anywhere hover:underline"
          >
            <span>
              <bdi>{name}</bdi>: <bdi>{value}</bdi>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Batch({ id }: { id: string }) {
  return (
    <Link to="/batches/$id" params={{ id }} title={id} className={LINK}>
      <span className="font-mono text-xs">{shortenId(id)}</span>
    </Link>
  );
}

/** The agent of a job, and the capabilities that it was found by or is sought by. */
function Performer({ job: { agent_id: id, capabilities = [] } }: { job: Job }) {
  const wanted = capabilities?.join(", ");
  return (
    <>
      {id ? (
        <Link to="/agents/$id" params={{ id }} className={LINK}>
          <AgentName id={id} />
        </Link>
      ) : (
        "none yet"
      )}
      {wanted && (
        <span className="text-muted">
          {id ? ", found by " : ", needs "}
          <bdi>{wanted}</bdi>
        </span>
      )}
    </>
  );
}

/**
 * Describe what a job has spent, and of what budgets: "$0.02 of $2.00, 1,200 tokens"; nothing where nobody told of any, which is
 * not nothing spent.
 */
function describeSpent({ cost_usd: usd, tokens, policy }: Job): string {
  const { budget_usd: mostUsd, budget_tokens: mostTokens } = policy ?? {};
  const parts = [
    (Number(usd) > 0 || mostUsd != null) &&
      `${formatMoney(usd)}${mostUsd == null ? "" : ` of ${formatMoney(mostUsd)}`}`,
    (tokens > 0 || mostTokens != null) &&
      (mostTokens == null ? pluralize(tokens, "token") : `${formatCount(tokens)} of ${pluralize(mostTokens, "token")}`),
  ];
  return parts.filter(Boolean).join(", ");
}
