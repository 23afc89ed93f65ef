import { useId, useState } from "react";
import type { Outcome } from "@/api/types";
import { OutcomeMark } from "@/judging/CriteriaList";
import { EvidenceQuote } from "@/judging/EvidenceQuote";
import { pluralize } from "@/lib/format";
import type { Focus } from "@/results/model/evidence";
import { TextView } from "@/results/views/TextView";
import type { Disagreement } from "./report";

const OUTCOMES: Record<string, Outcome> = { p: "pass", f: "fail", c: "cannot_assess" };

/** What people and policies say of each criterion of a case, beside its result with the evidence marked in it. */
export function DisagreementContent({ item: { criteria, labels, judged, result } }: { item: Disagreement }) {
  const [focus, setFocus] = useState<Focus | null>(null);
  const name = useId();
  const said = Object.entries(judged);
  const quotes = said.flatMap(([policy, { evidence }]) =>
    (evidence ?? []).flatMap((some, at) => some.map((text, number) => ({ id: `${policy} ${at} ${number}`, text }))),
  );
  const show = (id: string) => setFocus({ id, turn: focus?.id === id ? focus.turn + 1 : 0 });
  return (
    <div className="grid gap-4 pb-4 lg:grid-cols-2">
      <div tabIndex={0} className="min-w-0 overflow-x-auto">
        <table className="w-full border-collapse text-left">
          <caption className="sr-only">What people and policies say of each criterion</caption>
          <thead>
            <tr className="h-8 border-b text-muted">
              {["Criterion", "Label", ...Object.keys(judged)].map((head) => (
                <th key={head} scope="col" className="pr-4 font-medium">
                  <bdi>{head}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {criteria.map((criterion, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two criteria may be the same, and none moves
              <tr key={at} className="border-b align-top">
                <td className="min-w-40 py-2 pr-4 wrap-anywhere">
                  <bdi>{criterion}</bdi>
                </td>
                <td className="py-2 pr-4 whitespace-nowrap text-muted">{describeLabel(labels[at])}</td>
                {said.map(([policy, { outcomes, evidence }]) => (
                  <Said
                    key={policy}
                    outcome={OUTCOMES[outcomes?.[at] ?? ""]}
                    label={labels[at]}
                    name={`${policy} ${at}`}
                    evidence={evidence?.[at] ?? []}
                    focused={focus?.id}
                    onQuote={show}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {said.map(
          ([policy, { reason }]) =>
            reason && (
              <p key={policy} className="pt-2 text-muted wrap-anywhere">
                <bdi>{policy}</bdi>: <bdi>{reason}</bdi>
              </p>
            ),
        )}
      </div>
      <section aria-labelledby={name} className="min-w-0">
        <h3 id={name} className="flex h-8 items-center border-b font-medium text-muted">
          Result
        </h3>
        <div tabIndex={0} className="max-h-96 overflow-auto pt-2">
          <TextView text={result.text} quotes={quotes} focus={focus} />
          {result.chars_left_out > 0 && (
            <p className="text-xs text-muted">{pluralize(result.chars_left_out, "character")} left out of the report</p>
          )}
        </div>
      </section>
    </div>
  );
}

const describeLabel = (label: boolean | null | undefined) => (label == null ? "none" : label ? "met" : "not met");

type SaidProps = {
  outcome?: Outcome;
  label: boolean | null | undefined;
  /** Begins the names of its quotations. */
  name: string;
  evidence: readonly string[];
  focused: string | undefined;
  onQuote: (id: string) => void;
};

/** What a policy said of a criterion, whether it is what the label says, and what it quotes. */
function Said({ outcome, label, name, evidence, focused, onQuote }: SaidProps) {
  const isWrong = outcome !== undefined && label != null && (outcome === "pass") !== label;
  return (
    <td className="min-w-32 py-2 pr-4">
      {outcome ? <OutcomeMark outcome={outcome} withWord /> : <span className="text-muted">not judged</span>}
      {isWrong && <span className="block text-xs text-failed">not as labelled</span>}
      {evidence.map((text, number) => {
        const id = `${name} ${number}`;
        return <EvidenceQuote key={id} text={text} isFocused={focused === id} onShow={() => onQuote(id)} />;
      })}
    </td>
  );
}
