import type { RejudgeReport } from "@/api/types";
import { formatCount } from "@/lib/format";

const WORDS: Record<string, string> = { pass: "met", fail: "not met", cannot_assess: "cannot be assessed" };

/** How the outcomes of each criterion changed. */
export function CriterionDiffs({ criteria }: { criteria: NonNullable<RejudgeReport["criteria"]> }) {
  if (criteria.length === 0) return null;
  return (
    <div className="overflow-x-auto">
      <table className="w-full border-collapse text-left">
        <caption className="pb-2 text-left text-base font-semibold">By criterion</caption>
        <thead>
          <tr className="h-8 border-b text-muted">
            <th scope="col" className="pr-4 font-medium">
              Criterion
            </th>
            <th scope="col" className="pr-4 text-right font-medium">
              Judged
            </th>
            <th scope="col" className="pr-4 text-right font-medium">
              Changed
            </th>
            <th scope="col" className="font-medium">
              How
            </th>
          </tr>
        </thead>
        <tbody>
          {criteria.map(({ text, judged, changed, outcomes }) => (
            <tr key={text} className="border-b align-top">
              <td className="min-w-40 py-2 pr-4 wrap-anywhere">
                <bdi>{text}</bdi>
              </td>
              <td className="py-2 pr-4 text-right">{formatCount(judged)}</td>
              <td className="py-2 pr-4 text-right">{formatCount(changed)}</td>
              <td className="py-2 text-muted">{describeChanges(outcomes).join("; ") || "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Describe what changed, most often first: "3 met, now not met". */
export function describeChanges(outcomes: Record<string, number>): string[] {
  return Object.entries(outcomes)
    .map(([change, number]) => ({ of: change.split(" > ").map((each) => WORDS[each] ?? each), number }))
    .filter(({ of: [before, after] }) => before !== after)
    .toSorted((a, b) => b.number - a.number)
    .map(({ of: [before, after], number }) => `${formatCount(number)} ${before}, now ${after}`);
}
