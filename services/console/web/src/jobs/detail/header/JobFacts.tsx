import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Job } from "@/api/types";
import { useNow } from "@/lib/clock";
import { formatCount, formatMoney, pluralize, shortenId } from "@/lib/format";
import { CopyButton } from "@/ui/controls/copy-button";
import { Countdown } from "@/ui/display/duration";
import { ExactTime, Time } from "@/ui/display/time";

const LINK = "text-accent hover:underline wrap-anywhere";

/** Facts of a job: id, agent, tenant, batch, cost, times and labels. */
export function JobFacts({ job }: { job: Job }) {
  const labels = Object.entries(job.labels ?? {});
  const capabilities = job.capabilities ?? [];
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-muted *:min-w-0">
      <span className="-my-1 flex items-center font-mono text-xs" title={job.id}>
        {shortenId(job.id)}
        <CopyButton text={job.id} label="Copy the id" />
      </span>
      <span>
        agent{" "}
        {job.agent_id ? (
          <Link to="/" search={{ agent: job.agent_id }} className={LINK}>
            <bdi>{job.agent_id}</bdi>
          </Link>
        ) : (
          "none yet"
        )}
        {capabilities.length > 0 && (
          <>
            {job.agent_id ? ", found by " : ", one is needed that has "}
            <bdi className="wrap-anywhere">{capabilities.join(", ")}</bdi>
          </>
        )}
      </span>
      <span>priority {job.priority}</span>
      <span>
        for tenant{" "}
        <Link to="/" search={{ tenant: job.tenant }} className={LINK}>
          <bdi>{job.tenant}</bdi>
        </Link>
      </span>
      {job.batch_id && (
        <Link to="/batches/$id" params={{ id: job.batch_id }} className="text-accent hover:underline">
          batch {shortenId(job.batch_id)}
        </Link>
      )}
      <SpentBudget job={job} />
      <NotBefore job={job} />
      <span>
        created <Time at={job.created_at} />
      </span>
      <span>
        changed <Time at={job.updated_at} />
      </span>
      {labels.map(([name, value]) => (
        <Link
          key={name}
          to="/"
          search={{ label: [`${name}:${value}`] }}
          className="rounded bg-pending-tint px-1.5 text-xs text-pending wrap-anywhere hover:underline"
        >
          <bdi>{name}</bdi>: <bdi>{value}</bdi>
        </Link>
      ))}
    </div>
  );
}

/** What a job has spent, of its budgets where it has any. */
function SpentBudget({ job: { spent_usd: usd, spent_tokens: tokens, policy } }: { job: Job }): ReactNode {
  const { budget_usd: mostUsd, budget_tokens: mostTokens } = policy ?? {};
  return (
    <>
      {(usd > 0 || mostUsd != null) && (
        <span>
          spent {formatMoney(usd)}
          {mostUsd == null ? "" : ` of ${formatMoney(mostUsd)}`}
        </span>
      )}
      {(tokens > 0 || mostTokens != null) && (
        <span>
          {mostTokens == null
            ? pluralize(tokens, "token")
            : `${formatCount(tokens)} of ${pluralize(mostTokens, "token")}`}
        </span>
      )}
    </>
  );
}

/** Time before which no execution may begin, while it is ahead. */
function NotBefore({ job: { not_before: at } }: { job: Job }): ReactNode {
  const now = useNow();
  if (!at || Date.parse(at) <= now) return null;
  return (
    <span className="font-medium text-text">
      begins at <ExactTime at={at} /> (<Countdown to={at} />)
    </span>
  );
}
