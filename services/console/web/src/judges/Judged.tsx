import type { JudgedCounts } from "@/api/types";
import { formatCount, formatMoney, formatPercent } from "@/lib/format";

/** What came of the verdicts by a version: accepted, failed, not judged, and their cost. */
export function Judged({ counts }: { counts?: JudgedCounts }) {
  const { met = 0, not_met: notMet = 0, unjudged = 0, cost_usd: cost = 0, tokens = 0 } = counts ?? {};
  const judged = met + notMet;
  if (judged + unjudged === 0) return <span className="text-muted">nothing judged yet</span>;
  return (
    <span title={`${formatCount(tokens)} tokens`}>
      {formatCount(met)} accepted, {formatCount(notMet)} not
      {judged > 0 && ` (${formatPercent(met / judged)})`}
      {unjudged > 0 && `, ${formatCount(unjudged)} not judged`}
      {Number(cost) > 0 && `, ${formatMoney(cost)}` /* what nobody told is not free */}
    </span>
  );
}
