import type { UseQueryResult } from "@tanstack/react-query";
import { ReadState } from "@/api/ProblemState";
import type { RetentionEffect, RetentionPreview } from "@/api/types";
import { formatBytes, pluralize } from "@/lib/format";
import { Skeleton } from "@/ui/display/states";
import { ExactTime } from "@/ui/display/time";
import { describeCounts } from "./describe-kept";
import { KeptBackList } from "./KeptBackList";

/** What a change of a retention would let go: at once, and within 30 days. Nothing is changed by looking. */
export function RetentionEffects({ preview }: { preview: UseQueryResult<RetentionPreview> }) {
  if (!preview.data) {
    return (
      <ReadState query={preview} what="what it removes">
        <Skeleton className="h-28" />
      </ReadState>
    );
  }
  const { now, later, kept_back: keptBack } = preview.data;
  return (
    <section aria-label="What it removes" className="space-y-2 rounded border p-3">
      <Effect when="At once" effect={now} />
      <Effect when="Within 30 days, that included" effect={later} />
      {keptBack.length > 0 && (
        <>
          <p className="font-medium">Yet nothing goes for now:</p>
          <KeptBackList reasons={keptBack} />
        </>
      )}
    </section>
  );
}

function Effect({ when, effect }: { when: string; effect: RetentionEffect }) {
  const { jobs, operations, has_more: hasMore, bytes, oldest_at: oldest, sample } = effect;
  if (jobs + operations === 0) return <p>{when}: nothing.</p>;
  const count = `${hasMore ? "at least " : ""}${pluralize(jobs, "job")}`;
  return (
    <div>
      <p className="wrap-anywhere">
        {when}: <b className="font-medium">{count}</b> ({describeCounts(effect)}), about {formatBytes(bytes)}
        {oldest && (
          <>
            ; the oldest rests since <ExactTime at={oldest} />
          </>
        )}
        .
      </p>
      {sample.length > 0 && (
        <ul aria-label={`Some of them: ${when}`} className="pl-4 text-muted">
          {sample.map(({ id, title }) => (
            <li key={id} className="truncate" title={id}>
              <bdi>{title}</bdi>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
