import { ChevronRight, CircleCheck, CircleX } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { CriterionVerdict, Verdict } from "@/api/types";
import { cn } from "@/lib/cn";
import { buildReceiptAddress, type Source } from "@/results/model/source";
import { CriterionMarks, findSame, hasOtherOutcome, nameOutcome, OutcomeMark } from "./CriteriaList";
import { EvidenceQuote } from "./EvidenceQuote";
import { VerdictStages } from "./VerdictStages";
import { describeVerdict, isUnproven, nameQuote } from "./verdict";

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
  /** Shown beside the sentence, and below it. */
  aside?: ReactNode;
  children?: ReactNode;
};

/** So many criteria are shown at once where all are met. */
const MET_SHOWN_MAX = 5;

/** Verdict in a sentence; then every criterion with outcome, evidence and comment: what is not met first, the rest folded. */
export function VerdictPanel(props: VerdictPanelProps) {
  const { verdict, source, isRejudged, compared, focused, onQuote, aside, children } = props;
  const { criteria, is_valid: isValid } = verdict;
  const met = criteria.filter(({ outcome }) => outcome === "pass");
  const open = criteria
    .filter(({ outcome }) => outcome !== "pass")
    .toSorted((one, other) => Number(isOptional(one)) - Number(isOptional(other)));
  const Icon = isValid ? CircleCheck : CircleX;
  const table = { compared, focused, onQuote };
  return (
    <div>
      <div className="flex flex-wrap items-start justify-between gap-2 pb-1">
        <h2 className={cn("flex gap-2 text-lg font-semibold", isValid ? "text-completed" : "text-failed")}>
          <Icon aria-hidden size={20} className="mt-0.5 shrink-0" />
          {describeVerdict(verdict)}
        </h2>
        {aside}
      </div>
      {verdict.reason && (
        <p dir="auto" className="pb-1 wrap-anywhere">
          {verdict.reason}
        </p>
      )}
      <p className="flex flex-wrap items-center gap-2 text-xs">
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
      {children}
      {open.length > 0 && <CriteriaTable caption="What is not met" criteria={open} {...table} />}
      {met.length > 0 && <MetCriteria isOpen={open.length === 0 && met.length <= MET_SHOWN_MAX} met={met} {...table} />}
      <VerdictStages verdict={verdict} />
    </div>
  );
}

const isOptional = ({ required }: CriterionVerdict) => required === false;

/** Criteria that are met, folded; a quotation of one that is in focus opens them. */
function MetCriteria({ met, isOpen, ...table }: { met: readonly CriterionVerdict[]; isOpen: boolean } & Table) {
  const { focused } = table;
  const [isShown, show] = useState(isOpen);
  const [seenFocus, setSeenFocus] = useState<string | null>(null);
  if (focused !== seenFocus) {
    setSeenFocus(focused);
    if (met.some(({ text, evidence = [] }) => evidence.some((_, at) => focused === nameQuote(text, at)))) show(true);
  }
  return (
    <details className="group border-t py-1" open={isShown} onToggle={({ currentTarget }) => show(currentTarget.open)}>
      <summary className="flex min-h-6 list-none items-center gap-x-2 font-medium pointer-coarse:min-h-11">
        <ChevronRight aria-hidden size={14} className="transition-transform group-open:rotate-90" />
        {met.length} met
      </summary>
      <CriteriaTable caption="What is met" criteria={met} {...table} />
    </details>
  );
}

type Table = Pick<VerdictPanelProps, "compared" | "focused" | "onQuote">;
type CriteriaTableProps = { caption: string; criteria: readonly CriterionVerdict[] } & Table;

function CriteriaTable({ caption, criteria, compared, focused, onQuote }: CriteriaTableProps) {
  return (
    <table className="w-full border-collapse text-left">
      <caption className="sr-only">{caption}</caption>
      <thead className="sr-only">
        <tr>
          <th scope="col">Outcome</th>
          <th scope="col">Criterion, evidence and comment</th>
        </tr>
      </thead>
      <tbody>
        {criteria.map((criterion) => (
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
