import type { Criterion as JobCriterion } from "@/api/types";

/** Line of the editor: a criterion of the job, as it is typed; `kind` is the job's, perhaps of a newer version. */
export type Criterion = { id: string; text: string; isOptional: boolean; kind: string };

const PREFIXES = /^\s*(optional:\s*)?(?:(never|check):\s*)?/i;
let lastId = 0;

/** Make a line of the editor; the words `optional:`, and `never:` or `check:`, before its text are its marks. */
export function newCriterion(line = ""): Criterion {
  const [prefixes, optional, kind] = PREFIXES.exec(line) ?? [""];
  lastId += 1;
  return {
    id: `criterion-${lastId}`,
    text: line.slice(prefixes.length),
    isOptional: optional !== undefined,
    kind: kind?.toLowerCase() ?? "meets",
  };
}

/** Convert a job's criteria to lines; never none, so that there is a line to type in. */
export function toLines(criteria: readonly JobCriterion[]): Criterion[] {
  if (criteria.length === 0) return [newCriterion()];
  return criteria.map(({ text, required, kind }) => ({
    ...newCriterion(),
    text,
    isOptional: !required,
    kind,
  }));
}

export const isFilled = ({ text }: Criterion) => text.trim() !== "";

/** Format criteria in their text form, one a line, without empty ones. */
export function formatCriteria(criteria: readonly Criterion[]): string {
  return criteria
    .filter(isFilled)
    .map(
      ({ text, isOptional, kind }) =>
        `${isOptional ? "optional: " : ""}${kind === "meets" ? "" : `${kind}: `}${text.trim()}`,
    )
    .join("\n");
}

export function moveCriterion(criteria: readonly Criterion[], from: number, by: number): Criterion[] {
  const to = from + by;
  const one = criteria[from];
  if (!one || to < 0 || to >= criteria.length) return [...criteria];
  return criteria.toSpliced(from, 1).toSpliced(to, 0, one);
}

/** Change the text of a criterion; several lines, as pasted, become several criteria. */
export function changeCriterion(criteria: readonly Criterion[], at: number, text: string): Criterion[] {
  const one = criteria[at];
  if (!one) return [...criteria];
  const [first = "", ...more] = text.split(/\r?\n/);
  const typed = newCriterion(first);
  const isOptional = one.isOptional || typed.isOptional;
  const kept = { ...typed, id: one.id, isOptional, kind: typed.kind === "meets" ? one.kind : typed.kind };
  return criteria.toSpliced(at, 1, kept, ...more.filter((line) => line.trim() !== "").map(newCriterion));
}

/** Replace a criterion, counted without empty ones, by those of a text form. */
export function replaceFilled(criteria: readonly Criterion[], place: number, text: string): Criterion[] {
  const one = criteria.filter(isFilled)[place];
  if (!one) return [...criteria];
  return criteria.toSpliced(criteria.indexOf(one), 1, ...text.split("\n").map(newCriterion));
}
