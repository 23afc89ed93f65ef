import { Gavel } from "lucide-react";
import type { CriterionVerdict, Verdict } from "@/api/types";
import { cn } from "@/lib/cn";
import { buildReceiptAddress, type Source } from "@/results/model/source";
import { CriterionMarks, findSame, hasOtherOutcome, nameOutcome, OutcomeMark } from "./CriteriaList";
import { EvidenceQuote } from "./EvidenceQuote";
import { VerdictStages } from "./VerdictStages";
import { describeMetCount, isUnproven, nameQuote } from "./verdict";

type VerdictPanelProps = {
  verdict: Verdict;
  /** Log entry that holds it; none of a verdict without a job. */
  source?: Source;
  /** Whether it took the place of an earlier verdict on the same result. */
  isRejudged?: boolean;
  /** Verdict to compare with, and its name. */
  compared?: { name: string; verdict: Verdict };
  /** Name of the quotation that is shown in the result. */
  focused: string | null;
  /** Shows the next place of a quotation in the result. */
  onQuote: (name: string, quote: string) => void;
};

/** Verdict as a table: every criterion with outcome, evidence and comment. */
export function VerdictPanel({ verdict, source, isRejudged, compared, focused, onQuote }: VerdictPanelProps) {
  return (
    <div>
      <p className="flex flex-wrap items-center gap-2 pb-2">
        <Gavel aria-hidden size={16} className="text-muted" />
        <span className={cn("font-semibold", verdict.is_valid ? "text-completed" : "text-failed")}>
          {verdict.is_valid ? "Accepted" : isUnproven(verdict) ? "Unproven" : "Not accepted"}
        </span>
        <span>{describeMetCount(verdict.criteria)}</span>
        {verdict.model && (
          <span className="text-muted wrap-anywhere">
            judged by <bdi>{verdict.model}</bdi>
          </span>
        )}
        {isRejudged && (
          <span
            className="rounded bg-pending-tint px-1 text-xs/5 text-pending"
            title="The result was judged again, and no agent was called"
          >
            judged again
          </span>
        )}
        {source && !verdict.judge_error && !isUnproven(verdict) && (
          <a
            href={buildReceiptAddress(source)}
            download
            title="A signed statement of this verdict, which anybody can verify"
            className="ml-auto underline"
          >
            Receipt
          </a>
        )}
      </p>
      {verdict.reason && (
        <p dir="auto" className="pb-2 text-muted wrap-anywhere">
          {verdict.reason}
        </p>
      )}
      <table className="w-full border-collapse text-left">
        <caption className="sr-only">The verdict on each criterion</caption>
        <thead className="sr-only">
          <tr>
            <th scope="col">Outcome</th>
            <th scope="col">Criterion, evidence and comment</th>
          </tr>
        </thead>
        <tbody>
          {verdict.criteria.map((criterion) => (
            <Criterion
              key={`${criterion.kind}: ${criterion.text}`}
              criterion={criterion}
              before={hasOtherOutcome(criterion, compared?.verdict.criteria) ? compared : undefined}
              focused={focused}
              onQuote={onQuote}
            />
          ))}
        </tbody>
      </table>
      <VerdictStages verdict={verdict} />
    </div>
  );
}

type CriterionProps = {
  criterion: CriterionVerdict;
  before?: { name: string; verdict: Verdict };
} & Pick<VerdictPanelProps, "focused" | "onQuote">;

function Criterion({ criterion, before, focused, onQuote }: CriterionProps) {
  const { text, outcome, evidence = [], comment, kind, unproven } = criterion;
  const other = before && findSame(criterion, before.verdict.criteria);
  return (
    <tr className="border-t align-top">
      <td className="py-2 pr-3 whitespace-nowrap">
        <OutcomeMark outcome={outcome} word={nameOutcome(outcome, kind, unproven)} withWord />
      </td>
      <td className="w-full min-w-0 py-2">
        <p className="wrap-anywhere">
          <bdi>{text}</bdi> <CriterionMarks {...criterion} />
        </p>
        {other && before && (
          <p className="text-xs text-muted">
            {before.name}: {nameOutcome(other.outcome, kind).toLowerCase()}
          </p>
        )}
        {evidence.map((quote, at) => {
          const name = nameQuote(text, at);
          return kind === "check" ? (
            <p key={name} className="mt-1 wrap-anywhere">
              {quote}
            </p>
          ) : (
            <EvidenceQuote key={name} text={quote} isFocused={focused === name} onShow={() => onQuote(name, quote)} />
          );
        })}
        {comment && (
          <p dir="auto" className="mt-1 text-muted wrap-anywhere">
            {comment}
          </p>
        )}
      </td>
    </tr>
  );
}
