import { pluralize } from "@/lib/format";

type EvidenceStatusProps = {
  /** Number of places that are marked; and of the quote in focus, the number of its places and which is shown. */
  marked: number;
  own?: number;
  at?: number;
};

/** How often evidence is marked, or which of its places is shown. */
export function EvidenceStatus({ marked, own = 0, at = 0 }: EvidenceStatusProps) {
  if (marked === 0) return null;
  return (
    <p role="status" className="sticky top-0 z-10 bg-surface pb-2 text-xs text-muted">
      {own > 0 ? `place ${at + 1} of ${own}` : `evidence is marked in ${pluralize(marked, "place")}`}
    </p>
  );
}
