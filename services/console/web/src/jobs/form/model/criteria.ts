export type Criterion = { id: string; text: string; isOptional: boolean };

const OPTIONAL = /^optional:\s*/i;
let lastId = 0;

export function newCriterion(line = ""): Criterion {
  lastId += 1;
  return { id: `criterion-${lastId}`, text: line.replace(OPTIONAL, ""), isOptional: OPTIONAL.test(line) };
}

/** Parse criteria, one a line; never none, so that there is a line to type in. */
export function parseCriteria(text: string): Criterion[] {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.length === 0 ? [newCriterion()] : lines.map(newCriterion);
}

/** Format criteria, one a line, without empty ones. */
export function formatCriteria(criteria: readonly Criterion[]): string {
  return criteria
    .filter(({ text }) => text.trim() !== "")
    .map(({ text, isOptional }) => `${isOptional ? "optional: " : ""}${text.trim()}`)
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
  const isOptional = one.isOptional || OPTIONAL.test(first);
  const kept = { ...one, text: first.replace(OPTIONAL, "").trimStart(), isOptional };
  return criteria.toSpliced(at, 1, kept, ...more.filter((line) => line.trim() !== "").map(newCriterion));
}
