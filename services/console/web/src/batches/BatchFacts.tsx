import { Link } from "@tanstack/react-router";
import type { Operation } from "@/api/types";
import { formatMoney, shortenId } from "@/lib/format";
import { Countdown, Duration } from "@/ui/display/duration";
import { ExactTime, Time } from "@/ui/display/time";
import { hasEnded } from "./batch-state";

/** Format a rate per second, per minute or per hour, whichever says more. */
export function formatRate(perSecond: number): string {
  if (perSecond <= 0) return "–";
  if (perSecond >= 1) return `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} jobs/s`;
  if (perSecond * 60 >= 1) return `${(perSecond * 60).toFixed(0)} jobs/min`;
  return `${Math.max(1, Math.round(perSecond * 3_600))} jobs/h`;
}

/** When a batch ended, or is expected to. */
export function BatchEnd({ batch }: { batch: Operation }) {
  if (batch.finished_at) return <Time at={batch.finished_at} />;
  if (hasEnded(batch)) return "–";
  if (batch.state === "PAUSED") return "paused";
  return batch.ends_at ? <Countdown to={batch.ends_at} /> : "not known yet";
}

/** Speed, time and origin of a batch. */
export function BatchFacts({ batch }: { batch: Operation }) {
  return (
    <dl className="flex flex-wrap gap-x-6 gap-y-1 text-muted [&_dd]:inline [&_dd]:text-text [&_dt]:inline">
      {!hasEnded(batch) && (
        <div>
          <dt>Rate </dt>
          <dd>{formatRate(batch.rate_per_s)}</dd>
        </div>
      )}
      <div>
        <dt>{hasEnded(batch) ? "Ended " : "Estimated end "}</dt>
        <dd>
          <BatchEnd batch={batch} />
        </dd>
      </div>
      <div>
        <dt>{hasEnded(batch) ? "Took " : "For "}</dt>
        <dd>
          <Duration from={batch.created_at} to={batch.finished_at} />
        </dd>
      </div>
      <div>
        <dt>Created </dt>
        <dd>
          <ExactTime at={batch.created_at} />
        </dd>
      </div>
      {batch.cost_usd ? (
        <div>
          <dt>Cost </dt>
          <dd>{formatMoney(batch.cost_usd)}</dd>
        </div>
      ) : null}
      {batch.retry_of && (
        <div>
          <dt>Retry of </dt>
          <dd>
            <Link to="/batches/$id" params={{ id: batch.retry_of }} className="font-mono text-xs text-accent underline">
              {shortenId(batch.retry_of)}
            </Link>
          </dd>
        </div>
      )}
    </dl>
  );
}
