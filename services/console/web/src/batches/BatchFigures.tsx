import type { ReactNode } from "react";
import type { Operation } from "@/api/types";
import { WaitingSums } from "@/jobs/model/ReasonLine";
import { formatCount, formatMoney, formatPercent } from "@/lib/format";
import { Countdown } from "@/ui/display/duration";
import { Time } from "@/ui/display/time";
import { BatchBar, BatchLegend, share } from "./BatchProgress";
import { countAtRest, hasEnded, isExecuting } from "./batch-state";

/** Format a rate per second, per minute or per hour, whichever says more. */
export function formatRate(perSecond: number): string {
  if (perSecond <= 0) return "–";
  if (perSecond >= 1) return `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} jobs/s`;
  if (perSecond * 60 >= 1) return `${(perSecond * 60).toFixed(0)} jobs/min`;
  return `${Math.max(1, Math.round(perSecond * 3_600))} jobs/h`;
}

/** When a batch ended, or is expected to. */
export function BatchEnd({ batch }: { batch: Operation }) {
  if (batch.finished_at) return <Time at={batch.finished_at} before="ended " />;
  if (hasEnded(batch)) return "ended";
  if (batch.state === "PAUSED") return "paused";
  return batch.ends_at ? <Countdown to={batch.ends_at} /> : "end not known yet";
}

/** Format how much of what was judged was accepted; a dash where nothing was. */
export const formatAcceptance = ({ acceptance_rate: rate }: Operation) => (rate == null ? "–" : formatPercent(rate));

/** Format what a batch has cost so far; a dash where nothing is known. */
export const formatCost = ({ cost_usd: cost }: Operation) => (Number(cost ?? 0) > 0 ? formatMoney(cost ?? 0) : "–");

/** How far a batch is, how good, and how dear. */
export function BatchFigures({ batch }: { batch: Operation }) {
  const { counts } = batch;
  const judged = (counts.COMPLETED ?? 0) + (counts.REJECTED ?? 0) + (counts.RESUBMISSION_REQUIRED ?? 0);
  return (
    <section aria-label="How it goes" className="space-y-4">
      <dl className="grid gap-4 sm:grid-cols-3">
        <Figure
          name="How far"
          value={share(batch)}
          note={
            <>
              {formatCount(countAtRest(batch))} of {formatCount(batch.total)} at rest
              {!hasEnded(batch) && batch.rate_per_s > 0 && `, ${formatRate(batch.rate_per_s)}`} ·{" "}
              <BatchEnd batch={batch} />
            </>
          }
        />
        {isExecuting(batch) && (
          <Figure
            name="How good"
            value={judged > 0 ? `${formatAcceptance(batch)} accepted` : "–"}
            note={
              judged > 0
                ? `${formatCount(counts.COMPLETED ?? 0)} of ${formatCount(judged)} that were judged`
                : "Nothing was judged."
            }
          />
        )}
        {batch.cost_usd != null && (
          <Figure name="How dear" value={formatCost(batch)} note={describeExpectedCost(batch)} />
        )}
      </dl>
      <div className="space-y-2">
        <BatchBar batch={batch} className="h-3" />
        <BatchLegend batch={batch} />
        {!hasEnded(batch) && <WaitingSums sums={batch.waiting ?? []} within={{ batch: batch.id }} />}
      </div>
    </section>
  );
}

function describeExpectedCost(batch: Operation): string {
  const { expected_cost_usd: expected, cost_usd: cost } = batch;
  if (expected != null) return `About ${formatMoney(expected)} in all, if the rest costs as much each: an estimate`;
  if (Number(cost ?? 0) === 0) return "No cost is known.";
  return hasEnded(batch) ? "in all" : "so far";
}

function Figure({ name, value, note }: { name: string; value: string; note: ReactNode }) {
  return (
    <div className="flex flex-col rounded border bg-surface p-3">
      <dt className="text-muted">{name}</dt>
      <dd className="text-xl font-semibold tabular-nums">{value}</dd>
      <dd className="min-h-5 text-muted">{note}</dd>
    </div>
  );
}
