import type { Operation } from "@/api/types";
import { cn } from "@/lib/cn";
import { formatCount, formatPercent } from "@/lib/format";
import { countAtRest, countParts, describeProgress, hasEnded } from "./batch-state";

/** Progress of a batch as a stacked bar, with the same in words for screen readers. */
export function BatchBar({ batch, className }: { batch: Operation; className?: string }) {
  return (
    <div
      role="progressbar"
      aria-label="Progress"
      aria-valuemin={0}
      aria-valuemax={batch.total}
      aria-valuenow={countAtRest(batch)}
      aria-valuetext={describeProgress(batch)}
      className={cn(
        "flex h-2 gap-px overflow-hidden rounded-full bg-sunken ring-1 ring-hairline ring-inset",
        className,
      )}
    >
      {countParts(batch).map(({ key, word, bar, number }) => (
        <div
          key={key}
          title={`${word}: ${formatCount(number)}`}
          className={cn("h-full min-w-0.5 transition-[flex-grow]", bar)}
          style={{ flexGrow: number, flexBasis: 0 }}
        />
      ))}
    </div>
  );
}

export function share(batch: Operation): string {
  if (batch.total === 0) return "empty";
  const part = countAtRest(batch) / batch.total;
  // A part is never shown as the whole.
  return formatPercent(hasEnded(batch) ? part : Math.min(part, 0.99));
}

/** The parts of the bar in words, with their numbers. */
export function BatchLegend({ batch }: { batch: Operation }) {
  return (
    <ul aria-label="Jobs by status" className="flex min-h-6 flex-wrap gap-x-4 gap-y-1">
      {countParts(batch).map(({ key, word, icon: Icon, ink, number }) => (
        <li key={key} className="inline-flex items-center gap-1.5">
          <Icon aria-hidden size={14} className={ink} />
          <span className="font-medium">{formatCount(number)}</span>
          <span className="text-muted">{word.toLowerCase()}</span>
        </li>
      ))}
    </ul>
  );
}
