import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import type { Ask, CriterionVerdict, StageVerdict, Verdict } from "@/api/types";
import { formatCount, formatDuration, formatMoney } from "@/lib/format";
import { nameOutcome, OutcomeMark } from "./CriteriaList";
import { describeAsks, describeRole, nameStage, readOutcomes } from "./verdict";

type Criteria = readonly CriterionVerdict[];

/** How a verdict came about: its policy, and stage by stage who was asked and said what; folded at first. */
export function VerdictStages({ verdict }: { verdict: Verdict }) {
  const { criteria, judge: policy, submission, submissions } = verdict;
  const stages = verdict.stages ?? [];
  if (stages.length === 0 && !policy) return null;
  const asks = stages.flatMap((stage) => stage.asks ?? []);
  return (
    <details className="group border-t py-2">
      <summary className="flex min-h-6 cursor-pointer list-none flex-wrap items-center gap-x-2 pointer-coarse:min-h-11">
        <ChevronRight aria-hidden size={14} className="transition-transform group-open:rotate-90" />
        <span className="font-medium">How it was judged</span>
        {stages.length > 0 && <span className="text-muted">{describeAsks(asks)}</span>}
      </summary>
      <div className="space-y-3 pt-2 pl-5">
        <p className="flex flex-wrap gap-x-4 text-muted">
          {policy && <PolicyLink reference={policy} />}
          {submission != null && (
            <span>
              Submission {submission}
              {submissions != null && ` of ${submissions}`}
            </span>
          )}
        </p>
        <ol className="space-y-3">
          {stages.map((stage, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: stages have no other name, and never move
            <Stage key={at} stage={stage} criteria={criteria} />
          ))}
        </ol>
      </div>
    </details>
  );
}

/** Link to the version of a judge policy: `strict@3`. */
function PolicyLink({ reference }: { reference: string }) {
  const [name = reference, version] = reference.split("@");
  return (
    <span>
      Policy{" "}
      <Link
        to="/quality/judges/$name"
        params={{ name }}
        search={version ? { version: Number(version) } : {}}
        className="text-accent underline wrap-anywhere"
      >
        <bdi>{reference}</bdi>
      </Link>
    </span>
  );
}

function Stage({ stage, criteria }: { stage: StageVerdict; criteria: Criteria }) {
  return (
    <li>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="font-medium">{nameStage(stage.kind)}</h3>
        <Outcomes of="decided" letters={stage.outcomes ?? ""} criteria={criteria} />
      </div>
      {stage.asks && stage.asks.length > 0 && (
        <ul className="mt-1 divide-y border-l pl-3">
          {stage.asks.map((ask, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: asks may be alike, and never move
            <AskItem key={at} ask={ask} criteria={criteria} />
          ))}
        </ul>
      )}
    </li>
  );
}

function AskItem({ ask, criteria }: { ask: Ask; criteria: Criteria }) {
  const facts = [
    ask.prompt != null && `prompt ${ask.prompt}`,
    ask.input_tokens != null && `${formatCount(ask.input_tokens)} tokens in`,
    ask.cached_tokens != null && `${formatCount(ask.cached_tokens)} of them cached`,
    ask.output_tokens != null && `${formatCount(ask.output_tokens)} out`,
    ask.cost_usd != null && formatMoney(ask.cost_usd),
    ask.latency_s != null && formatDuration(ask.latency_s * 1_000),
    ask.refused != null && `${ask.refused} refused before, last ${ask.last_refusal}`,
  ].filter((fact) => fact !== false);
  return (
    <li className="py-1">
      <div className="flex flex-wrap items-center gap-x-3">
        <span className="min-w-0 wrap-anywhere">
          <bdi>{ask.model}</bdi> <span className="text-muted">{describeRole(ask.role)}</span>
        </span>
        {ask.outcomes == null ? (
          <span className="text-failed">its answer was nonsense</span>
        ) : (
          <Outcomes of="answered" letters={ask.outcomes} criteria={criteria} />
        )}
      </div>
      <p className="flex flex-wrap gap-x-3 text-xs text-muted">
        {facts.map((fact) => (
          <span key={fact}>{fact}</span>
        ))}
        {ask.request_id && (
          <code title="The request, as the judge's API names it" className="min-w-0 font-mono break-all">
            {ask.request_id}
          </code>
        )}
      </p>
    </li>
  );
}

/** An outcome for each criterion, by its place; what was not asked is a dash. */
function Outcomes({ of, letters, criteria }: { of: string; letters: string; criteria: Criteria }) {
  return (
    <ol aria-label={`What was ${of}, by criterion`} className="flex flex-wrap gap-x-2">
      {readOutcomes(letters).map((outcome, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the place is what a letter stands for
        <li key={at} className="inline-flex items-center gap-0.5" title={criteria[at]?.text}>
          <span className="text-xs text-muted">{at + 1}</span>
          {outcome ? (
            <OutcomeMark outcome={outcome} word={nameOutcome(outcome, criteria[at]?.kind)} />
          ) : (
            <span className="text-muted">
              <span aria-hidden>–</span>
              <span className="sr-only">Not asked</span>
            </span>
          )}
        </li>
      ))}
    </ol>
  );
}
