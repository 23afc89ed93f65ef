import { CircleCheck, CircleDashed, CircleHelp, CircleX, type LucideIcon } from "lucide-react";
import type { CriterionVerdict, Outcome } from "@/api/types";
import { cn } from "@/lib/cn";

type Look = { word: string; icon: LucideIcon; ink: string };

export const OUTCOME_LOOKS: Record<Outcome | "open", Look> = {
  pass: { word: "Met", icon: CircleCheck, ink: "text-completed" },
  fail: { word: "Not met", icon: CircleX, ink: "text-failed" },
  cannot_assess: { word: "Cannot be assessed", icon: CircleHelp, ink: "text-resubmit" },
  open: { word: "Not judged yet", icon: CircleDashed, ink: "text-muted" },
};

const OPTIONAL = /^optional:\s*/i;

/** Parse criteria, one a line; those that begin with "optional:" are judged and do not decide. */
function parseCriteria(text: string): { text: string; isRequired: boolean }[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => ({ text: line.replace(OPTIONAL, ""), isRequired: !OPTIONAL.test(line) }));
}

/** Criteria of a job that is not judged yet. */
export function CriteriaList({ criteria }: { criteria: string }) {
  return (
    <ol className="divide-y">
      {parseCriteria(criteria).map(({ text, isRequired }) => (
        <li key={text} className="flex items-start gap-2 py-2">
          <OutcomeMark outcome="open" />
          <bdi className="min-w-0 wrap-anywhere">{text}</bdi>
          {!isRequired && <OptionalMark />}
        </li>
      ))}
    </ol>
  );
}

export function OutcomeMark({ outcome, withWord = false }: { outcome: Outcome | "open"; withWord?: boolean }) {
  const { word, icon: Icon, ink } = OUTCOME_LOOKS[outcome] ?? OUTCOME_LOOKS.open;
  return (
    <span className={cn("inline-flex h-5 shrink-0 items-center gap-1 font-medium", ink)} title={word}>
      <Icon aria-hidden size={16} />
      <span className={cn(!withWord && "sr-only")}>{word}</span>
    </span>
  );
}

export function OptionalMark() {
  return <span className="shrink-0 rounded bg-pending-tint px-1 text-xs/5 text-pending">optional</span>;
}

/** Whether another verdict gave a criterion another outcome. */
export function hasOtherOutcome(criterion: CriterionVerdict, other: readonly CriterionVerdict[] | undefined): boolean {
  const before = other?.find(({ text }) => text === criterion.text);
  return before !== undefined && before.outcome !== criterion.outcome;
}
