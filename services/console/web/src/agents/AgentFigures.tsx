import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { AgentStats } from "@/api/types";
import { formatCode } from "@/jobs/model/logs";
import { formatCount, formatDuration, formatMoney, formatPercent } from "@/lib/format";
import { Time } from "@/ui/display/time";
import { countFailed, sortCounts } from "./health";

const TIMES = [
  ["Wait", "wait"],
  ["Call", "agent"],
  ["Judging", "judge"],
] as const;

/** What an agent did in the last day: what was accepted, for what, and how long each step took. */
export function AgentFigures({ stats }: { stats: AgentStats }) {
  const { ended, completed, refused, tokens } = stats;
  const share = (count: number) => (ended > 0 ? ` (${formatPercent(count / ended)})` : "");
  return (
    <Section title="The last 24 hours">
      <div className="grid gap-6 md:grid-cols-2">
        <dl className="grid content-start grid-cols-[auto_1fr] gap-x-4 gap-y-1 [&_dd]:text-right [&_dd]:tabular-nums [&_dt]:text-muted">
          <dt>Ended</dt>
          <dd>{formatCount(ended)}</dd>
          <dt>Accepted</dt>
          <dd>{formatCount(completed) + share(completed)}</dd>
          <dt>Not accepted</dt>
          <dd>{formatCount(refused) + share(refused)}</dd>
          <dt>Failed</dt>
          <dd>{formatCount(countFailed(stats)) + share(countFailed(stats))}</dd>
          <dt>Cost a job</dt>
          <dd>{Number(stats.mean_cost_usd ?? 0) > 0 ? formatMoney(stats.mean_cost_usd ?? 0) : "–"}</dd>
          <dt>Spent</dt>
          <dd>
            {Number(stats.cost_usd) > 0 ? formatMoney(stats.cost_usd) : "–"}
            {tokens > 0 && ` · ${formatCount(tokens)} tokens`}
          </dd>
        </dl>
        <table className="h-fit w-full">
          <caption className="sr-only">How long each step took</caption>
          <thead>
            <tr className="border-b text-muted">
              <th scope="col" className="py-1 text-left font-medium">
                Time
              </th>
              <th scope="col" className="py-1 text-right font-medium">
                half within
              </th>
              <th scope="col" className="py-1 text-right font-medium">
                95 % within
              </th>
            </tr>
          </thead>
          <tbody>
            {TIMES.map(([name, key]) => (
              <tr key={key} className="border-b tabular-nums">
                <th scope="row" className="py-1 text-left font-normal">
                  {name}
                </th>
                <td className="py-1 text-right">{formatSeconds(stats[key]?.p50)}</td>
                <td className="py-1 text-right">{formatSeconds(stats[key]?.p95)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

const formatSeconds = (seconds?: number | null) => (seconds == null ? "–" : formatDuration(seconds * 1_000));

/** Why an agent's work did not come to a result that was accepted: it failed, or results did not meet a criterion. */
export function AgentTroubles({ id, stats }: { id: string; stats: AgentStats }) {
  return (
    <div className="grid gap-6 md:grid-cols-2">
      <Section title="Failed, by code">
        <Counts counts={stats.failures} none="No execution failed.">
          {(code) => (
            <Link
              to="/jobs"
              search={{ agent: id, status: ["FAILED"], code: [code] }}
              className="font-mono text-xs hover:underline"
            >
              {formatCode({ code })}
            </Link>
          )}
        </Counts>
      </Section>
      <Section title="Not accepted, by criterion">
        <Counts counts={stats.refusals} none="No result was refused.">
          {(criterion) => (
            <Link to="/jobs" search={{ agent: id, criterion }} className="hover:underline">
              <bdi>{criterion}</bdi>
            </Link>
          )}
        </Counts>
      </Section>
    </div>
  );
}

type CountsProps = { counts: Record<string, number>; none: string; children: (name: string) => ReactNode };

function Counts({ counts, none, children }: CountsProps) {
  const sorted = sortCounts(counts);
  if (sorted.length === 0) return <p className="text-muted">{none}</p>;
  return (
    <ul className="divide-y border-y">
      {sorted.map(([name, count]) => (
        <li key={name} className="flex min-h-8 items-center justify-between gap-3 py-1">
          <span className="min-w-0 wrap-anywhere">{children(name)}</span>
          <span className="tabular-nums">{formatCount(count)}</span>
        </li>
      ))}
    </ul>
  );
}

/** When the circuit of an agent opened and closed. */
export function CircuitHistory({ stats }: { stats: AgentStats }) {
  const changes = stats.circuit_changes;
  return (
    <Section title="Circuit">
      {changes.length === 0 ? (
        <p className="text-muted">It has not opened in the last 31 days.</p>
      ) : (
        <ol className="divide-y border-y">
          {changes.map(({ at, circuit, open_until: until }) => (
            <li key={at} className="flex min-h-8 flex-wrap items-center justify-between gap-x-3 py-1">
              <span className={circuit === "OPEN" ? "text-failed" : ""}>
                {circuit === "OPEN" ? "Opened" : "Closed"}
                {until && ` for ${formatDuration(Date.parse(until) - Date.parse(at))}`}
              </span>
              <Time at={at} className="text-muted" />
            </li>
          ))}
        </ol>
      )}
    </Section>
  );
}

/** Part of an agent's page. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="min-w-0 space-y-2">
      <h2 className="text-lg font-semibold">{title}</h2>
      {children}
    </section>
  );
}
