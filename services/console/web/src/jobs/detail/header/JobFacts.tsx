import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { AgentName } from "@/api/AgentName";
import type { Job } from "@/api/types";
import { FACTS, FILTERS } from "@/jobs/fields";
import { findBegin } from "@/jobs/model/phase";
import { useNow } from "@/lib/clock";
import { formatCount, formatMoney, pluralize, shortenId } from "@/lib/format";
import { CopyButton } from "@/ui/controls/copy-button";
import { Countdown } from "@/ui/display/duration";
import { ExactTime, Time } from "@/ui/display/time";

const LINK = "text-accent hover:underline";

/** Facts that are more than the value of their field. */
const VALUES: Partial<Record<keyof Job, (props: { job: Job }) => ReactNode>> = {
  id: Id,
  agent_id: Performer,
  batch_id: Batch,
  cost_usd: Spent,
};

/** Facts of a job. Each has its place from the first, so that nothing moves when one becomes known. */
export function JobFacts({ job }: { job: Job }) {
  const labels = Object.entries(job.labels ?? {});
  return (
    <div className="space-y-2">
      <dl className="grid grid-cols-2 gap-x-4 gap-y-1 sm:grid-cols-4 lg:grid-cols-8">
        {FACTS.map(({ key, word, name, kind }) => {
          const Value = VALUES[key];
          const value = String(job[key] ?? "none");
          return (
            <Fact key={key} name={name}>
              {Value ? (
                <Value job={job} />
              ) : kind === "time" ? (
                <Time at={value} />
              ) : FILTERS.some((filter) => filter.key === key) && job[key] ? (
                <Link to="/jobs" search={{ [word]: value }} className={LINK} title={value}>
                  <bdi>{value}</bdi>
                </Link>
              ) : (
                value
              )}
            </Fact>
          );
        })}
      </dl>
      {labels.length > 0 && (
        <ul aria-label="Labels" className="flex flex-wrap gap-1">
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
      )}
      <NotBefore job={job} />
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="flex min-h-6 items-center">
        <span className="min-w-0 truncate">{children}</span>
      </dd>
    </div>
  );
}

function Id({ job: { id } }: { job: Job }) {
  return (
    <span className="-my-1.5 flex items-center font-mono text-xs" title={id}>
      {shortenId(id)}
      <CopyButton text={id} label="Copy the id" className="size-6" />
    </span>
  );
}

function Batch({ job: { batch_id: id } }: { job: Job }) {
  if (!id) return "none";
  return (
    <Link to="/batches/$id" params={{ id }} title={id} className={LINK}>
      <span className="font-mono text-xs">{shortenId(id)}</span>
    </Link>
  );
}

function Spent({ job }: { job: Job }) {
  const words = describeSpent(job);
  return <span title={words}>{words}</span>;
}

/** The agent of a job, and the capabilities that it was found by or is sought by. */
function Performer({ job: { agent_id: id, capabilities = [] } }: { job: Job }) {
  const wanted = capabilities?.join(", ");
  return (
    <>
      {id ? (
        <Link to="/jobs" search={{ agent: id }} className={LINK}>
          <AgentName id={id} />
        </Link>
      ) : (
        "none yet"
      )}
      {wanted && (
        <span className="text-muted" title={wanted}>
          {id ? ", found by " : ", needs "}
          <bdi>{wanted}</bdi>
        </span>
      )}
    </>
  );
}

/**
 * Describe what a job has spent, and of what budgets: "$0.02 of $2.00, 1,200 tokens, as claimed by agents and judges". Nothing told
 * is not nothing spent.
 */
function describeSpent({ cost_usd: usd, tokens, policy }: Job): string {
  const { budget_usd: mostUsd, budget_tokens: mostTokens } = policy ?? {};
  const parts = [
    (Number(usd) > 0 || mostUsd != null) &&
      `${formatMoney(usd)}${mostUsd == null ? "" : ` of ${formatMoney(mostUsd)}`}`,
    (tokens > 0 || mostTokens != null) &&
      (mostTokens == null ? pluralize(tokens, "token") : `${formatCount(tokens)} of ${pluralize(mostTokens, "token")}`),
  ];
  const claimed = (Number(usd) > 0 || tokens > 0) && "as claimed by agents and judges";
  return [...parts, claimed].filter(Boolean).join(", ") || "not known";
}

/** Time before which no execution may begin, while it is ahead. */
function NotBefore({ job }: { job: Job }): ReactNode {
  const at = findBegin(job, useNow());
  if (!at) return null;
  return (
    <p className="font-medium">
      begins at <ExactTime at={at} /> (<Countdown to={at} />)
    </p>
  );
}
