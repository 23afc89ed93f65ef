import { pluralize } from "@/lib/format";
import { Confusion } from "./Confusion";
import { CriteriaMeasures } from "./CriteriaMeasures";
import { Disagreements } from "./Disagreements";
import { describeComparison, describeConfirming, describeLeftOut, describeQuorum, MEASURES } from "./describe-report";
import type { PolicyReport, Report } from "./report";

/** Report of policies on labelled cases: measures side by side, each policy by itself, and what is to be read. */
export function ReportView({ report }: { report: Report }) {
  const { cases, repeats, cases_hash: hash, policies, comparisons, disagreements } = report;
  return (
    <>
      <section aria-label="In all" className="space-y-3">
        <h2 className="text-lg font-semibold">In all</h2>
        <p className="wrap-anywhere">
          {pluralize(cases, "case")}, each judged {repeats === 1 ? "once" : `${repeats} times`} by each policy. In
          brackets: 95 % intervals, Wilson's, and by case where one has several criteria. How good a policy is, its
          first judgement of each case says.{" "}
          <span className="text-muted">
            SHA-256 of the cases: <code className="font-mono text-xs">{hash}</code>
          </span>
        </p>
        {describeLeftOut(report).map((line) => (
          <p key={line} className="text-resubmit wrap-anywhere">
            {line}
          </p>
        ))}
        <Measures policies={policies} />
        {comparisons.map((comparison) => (
          <p key={comparison.second} className="font-medium wrap-anywhere">
            {describeComparison(comparison)}
          </p>
        ))}
      </section>
      {policies.map((policy) => (
        <section key={policy.policy} aria-label={policy.policy} className="space-y-3">
          <h2 className="text-lg font-semibold wrap-anywhere">
            <bdi>{policy.policy}</bdi>
          </h2>
          <Confusion measure={policy.overall} />
          {policy.quorum.map((quorum) => (
            <p key={quorum.votes} className={quorum.adds_nothing ? "text-resubmit" : undefined}>
              {describeQuorum(quorum)}
            </p>
          ))}
          {policy.confirm != null && <p>{describeConfirming(policy.confirm)}</p>}
          <CriteriaMeasures criteria={policy.criteria} />
        </section>
      ))}
      <Disagreements total={disagreements.total} items={disagreements.items} />
    </>
  );
}

function Measures({ policies }: { policies: readonly PolicyReport[] }) {
  return (
    <div tabIndex={0} className="overflow-x-auto">
      <table className="border-collapse text-left">
        <caption className="sr-only">Measures of each policy</caption>
        <thead>
          <tr className="h-8 border-b text-muted">
            <th scope="col" className="pr-6 font-medium">
              Measure
            </th>
            {policies.map(({ policy }) => (
              <th key={policy} scope="col" className="pr-6 font-medium">
                <bdi>{policy}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {MEASURES.map(([name, value]) => (
            <tr key={name} className="border-b align-top">
              <th scope="row" className="py-1.5 pr-6 font-normal text-muted">
                {name}
              </th>
              {policies.map((policy) => (
                <td key={policy.policy} className="min-w-44 py-1.5 pr-6">
                  {value(policy)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
