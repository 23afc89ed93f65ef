import { Link } from "@tanstack/react-router";
import type { NamedJudgePolicy } from "@/api/types";
import { formatCount, formatPercent } from "@/lib/format";
import { ExactTime } from "@/ui/display/time";

type HowGoodProps = {
  named: NamedJudgePolicy;
  /** The version that was asked for; else the current one is meant. */
  version?: number;
};

/** Whether a version of a policy is any good: how it agreed with labels when it was evaluated last. */
export function HowGood({ named, version }: HowGoodProps) {
  const wanted = version ?? named.current;
  const shown = named.versions?.find((each) => each.version === wanted);
  if (!shown) return null;
  const { evaluation } = shown;
  const reference = `${named.name}@${shown.version}`;
  return (
    <section aria-label="Is it any good" className="space-y-2">
      <h2 className="text-lg font-semibold">Is it any good</h2>
      {evaluation ? (
        <>
          <p>{describeEvaluation(evaluation.overall)}</p>
          <p className="text-muted">
            Evaluated <ExactTime at={evaluation.created_at} /> by <bdi>{evaluation.actor}</bdi>
            {evaluation.version !== shown.version &&
              `, as version ${evaluation.version}, which judges by the same stages`}
          </p>
        </>
      ) : (
        <p className="text-muted">
          It was not evaluated yet. Judge cases with labels by it:{" "}
          <code className="font-mono text-xs wrap-anywhere">
            signoff judge evaluate CASES.jsonl --judge {reference}
          </code>
        </p>
      )}
      <Link
        to="/quality"
        search={{ judge: reference }}
        className="inline-flex min-h-6 items-center text-accent underline"
      >
        What it accepts, and how often it flips
      </Link>
    </section>
  );
}

type Counts = { true_accepts: number; false_accepts: number; true_rejects: number; false_rejects: number };

function describeEvaluation({ true_accepts, false_accepts, true_rejects, false_rejects }: Counts): string {
  const right = true_accepts + true_rejects;
  const of = right + false_accepts + false_rejects;
  const share = of > 0 ? ` (${formatPercent(right / of)})` : "";
  return `It was right on ${formatCount(right)} of ${formatCount(of)} labelled results${share}: it let ${formatCount(
    false_accepts,
  )} pass that are bad, and refused ${formatCount(false_rejects)} that are good.`;
}
