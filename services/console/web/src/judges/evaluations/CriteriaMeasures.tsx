import { formatCount } from "@/lib/format";
import { formatKappa, formatShare } from "./describe-report";
import type { PolicyReport } from "./report";

const NUMBERS = ["Labels", "False accepts", "False rejects", "Not assessed"];

/** How often a policy is right on each criterion. */
export function CriteriaMeasures({ criteria }: Pick<PolicyReport, "criteria">) {
  if (criteria.length === 0) return null;
  return (
    <div tabIndex={0} className="overflow-x-auto">
      <table className="w-full border-collapse text-left">
        <caption className="pb-2 text-left text-base font-semibold">By criterion</caption>
        <thead>
          <tr className="h-8 border-b align-bottom text-muted">
            <th scope="col" className="pr-4 font-medium">
              Criterion
            </th>
            {NUMBERS.map((name) => (
              <th key={name} scope="col" className="pr-4 text-right font-medium">
                {name}
              </th>
            ))}
            <th scope="col" className="pr-4 font-medium">
              Agreement
            </th>
            <th scope="col" className="text-right font-medium">
              Kappa
            </th>
          </tr>
        </thead>
        <tbody>
          {criteria.map((each) => (
            <tr key={each.criterion} className="border-b align-top">
              <td className="min-w-40 py-2 pr-4 wrap-anywhere">
                <bdi>{each.criterion}</bdi>
              </td>
              {[each.labelled, each.false_accepts, each.false_rejects, each.unsure].map((number, at) => (
                <td key={NUMBERS[at]} className="py-2 pr-4 text-right">
                  {formatCount(number)}
                </td>
              ))}
              <td className="py-2 pr-4 whitespace-nowrap">{formatShare(each.agreement)}</td>
              <td className="py-2 text-right">{formatKappa(each.kappa)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
