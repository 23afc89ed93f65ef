import { CircleCheck, CircleDashed, CircleHelp, CircleX, type LucideIcon } from "lucide-react";
import type { Criterion, CriterionVerdict, Outcome } from "@/api/types";
import { cn } from "@/lib/cn";

type Look = { word: string; icon: LucideIcon; ink: string };

const OUTCOME_LOOKS = {
  pass: { word: "Met", icon: CircleCheck, ink: "text-completed" },
  fail: { word: "Not met", icon: CircleX, ink: "text-failed" },
  cannot_assess: { word: "Cannot be assessed", icon: CircleHelp, ink: "text-resubmit" },
  open: { word: "Not judged yet", icon: CircleDashed, ink: "text-muted" },
} as const satisfies Record<Outcome | "open", Look>;

/** Return how an outcome looks; one that the page does not know yet is shown as the word that it is. */
const lookOf = (outcome: string): Look =>
  OUTCOME_LOOKS[outcome as Outcome] ?? { ...OUTCOME_LOOKS.cannot_assess, word: outcome };

/** Word of an outcome: what must never be there is absent or found, and not met; what no judge could show is unproven. */
export function nameOutcome(outcome: string, kind?: string | null, unproven = false): string {
  if (unproven) return "Unproven";
  const words: Record<string, string> = kind === "never" ? { pass: "Absent", fail: "Found" } : {};
  return words[outcome] ?? lookOf(outcome).word;
}

/** Criteria of a job that is not judged yet. */
export function CriteriaList({ criteria }: { criteria: readonly Criterion[] }) {
  return (
    <ol className="divide-y">
      {criteria.map((criterion, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two criteria may be the same, and none moves
        <li key={at} className="flex items-start gap-2 py-2">
          <OutcomeMark outcome="open" />
          <bdi className="min-w-0 wrap-anywhere">{criterion.text}</bdi>
          <CriterionMarks {...criterion} />
        </li>
      ))}
    </ol>
  );
}

type OutcomeMarkProps = { outcome: string; withWord?: boolean; word?: string };

export function OutcomeMark({ outcome, withWord = false, ...named }: OutcomeMarkProps) {
  const look = lookOf(outcome);
  const { icon: Icon, ink } = look;
  const word = named.word ?? look.word;
  return (
    <span className={cn("inline-flex h-5 shrink-0 items-center gap-1 font-medium", ink)} title={word}>
      <Icon aria-hidden size={16} />
      <span className={cn(!withWord && "sr-only")}>{word}</span>
    </span>
  );
}

/** Marks of a criterion that does not decide, or that is of another kind than what the result must show. */
export function CriterionMarks({ required = true, kind }: Pick<CriterionVerdict, "required" | "kind">) {
  const marks = [!required && "optional", kind !== "meets" && kind].filter((mark) => typeof mark === "string");
  return marks.map((mark) => (
    <span key={mark} className="shrink-0 rounded bg-pending-tint px-1 text-xs/5 text-pending">
      {mark}
    </span>
  ));
}

/** Find a criterion in another verdict: of one text there may be one of each kind. */
export const findSame = ({ text, kind = "meets" }: CriterionVerdict, other: readonly CriterionVerdict[]) =>
  other.find((each) => each.text === text && (each.kind ?? "meets") === kind);

/** Whether another verdict gave a criterion another outcome. */
export function hasOtherOutcome(criterion: CriterionVerdict, other: readonly CriterionVerdict[] | undefined): boolean {
  const before = other && findSame(criterion, other);
  return before !== undefined && before.outcome !== criterion.outcome;
}
