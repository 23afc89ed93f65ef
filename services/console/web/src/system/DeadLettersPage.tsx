import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ReadState } from "@/api/ProblemState";
import { SystemPages } from "@/api/SystemPages";
import type { DeadLetter } from "@/api/types";
import { formatCount, pluralize } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { buttonLook } from "@/ui/controls/button";
import { Checkbox } from "@/ui/controls/field";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { ExactTime } from "@/ui/display/time";
import { deadLettersQuery } from "./queries";

/** Bytes of a body that the console tells. */
const SHOWN_BYTES = 4_096;

/** Page of dead letters: events that no service can handle, and why. */
export function DeadLettersPage() {
  useTitle("Dead letters");
  const [showsDone, setShowsDone] = useState(false);
  const letters = useQuery(deadLettersQuery(showsDone));
  const counts = Object.entries(letters.data?.counts ?? {}).filter(([, number]) => number > 0);
  const items = letters.data?.items ?? [];
  const total = counts.reduce((sum, [, number]) => sum + number, 0);
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <SystemPages />
      <h1 className="text-xl font-semibold">Dead letters</h1>
      <p className="max-w-prose text-muted">
        An event that can never be processed is kept here, so that it blocks no other. Fix what its code says, and
        publish it again with <code className="font-mono text-xs">signoff dlq redrive</code>; or it is of no use any
        more: <code className="font-mono text-xs">signoff dlq discard</code>.
      </p>
      <label className="flex min-h-6 items-center gap-2">
        <Checkbox checked={showsDone} onChange={(event) => setShowsDone(event.target.checked)} /> Also those that were
        redriven or discarded
      </label>
      <ReadState query={letters} what="dead letters">
        <Skeleton className="h-40" />
      </ReadState>
      {letters.data && total === 0 && items.length === 0 && (
        <EmptyState
          title="No dead letters"
          action={
            <Link to="/system" className={buttonLook({})}>
              See what is running
            </Link>
          }
          command="signoff dlq list"
        >
          <p>Every event was processed, redriven or discarded.</p>
        </EmptyState>
      )}
      {counts.length > 0 && (
        <dl aria-label="Dead letters by topic" className="flex flex-wrap gap-x-6 gap-y-1">
          {counts.map(([topic, number]) => (
            <div key={topic} className="flex items-baseline gap-2">
              <dt className="font-mono text-xs text-muted">{topic}</dt>
              <dd className="font-medium">{formatCount(number)}</dd>
            </div>
          ))}
        </dl>
      )}
      {items.length > 0 && (
        <ul aria-label="The latest" className="divide-y border-y">
          {items.map((letter) => (
            <Letter key={`${letter.topic}/${letter.partition}/${letter.offset}`} letter={letter} />
          ))}
        </ul>
      )}
      {items.length > 0 && !showsDone && total > items.length && (
        <p className="text-muted">
          The latest {formatCount(items.length)} of {pluralize(total, "dead letter")}.
        </p>
      )}
    </div>
  );
}

function Letter({ letter }: { letter: DeadLetter }) {
  const { topic, partition, offset, at, code, message, source_topic: source, source_offset: place, key } = letter;
  const { resolution, source_last_offset: last } = letter;
  const body = letter.body ?? "";
  return (
    <li className="space-y-1 py-2">
      <div className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
        <code className="font-mono text-xs font-medium text-failed">{code ?? "unknown"}</code>
        <span className="text-muted">
          <ExactTime at={at} />
        </span>
        <span className="font-mono text-xs text-muted">
          {topic} · partition {partition} · offset {offset}
          {source && ` · from ${source}${place == null ? "" : ` at ${place}${last == null ? "" : ` to ${last}`}`}`}
          {key && ` · key ${key}`}
        </span>
      </div>
      {resolution && (
        <p className="text-xs">
          {resolution.outcome.toLowerCase()} by {resolution.actor}, <ExactTime at={resolution.at} />
          {resolution.reason && (
            <>
              : <bdi>{resolution.reason}</bdi>
            </>
          )}
        </p>
      )}
      {message && <pre className="font-mono text-xs whitespace-pre-wrap wrap-anywhere">{message}</pre>}
      {body !== "" && (
        <details>
          <summary className="min-h-6 text-xs text-muted">
            Body, {pluralize(letter.body_bytes, "byte")}
            {letter.body_bytes > SHOWN_BYTES && `; the first ${formatCount(SHOWN_BYTES)} are shown`}
          </summary>
          <pre
            tabIndex={0}
            dir="auto"
            className="max-h-80 overflow-auto rounded border bg-sunken p-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere"
          >
            {body}
          </pre>
        </details>
      )}
    </li>
  );
}
