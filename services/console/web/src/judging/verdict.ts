import type { Ask, CriterionVerdict, Outcome, Verdict } from "@/api/types";
import { formatCount, formatDuration, formatMoney, pluralize } from "@/lib/format";

/** Name a quotation of a criterion, by its place, among all of a verdict. */
export const nameQuote = (criterion: string, at: number) => `${criterion} ${at}`;

const MARKS = [
  /!?\[([^[\]]*)\]\([^()\s]*\)/g,
  /\*\*(?=\S)([^*]*)(?<=\S)\*\*/g,
  /__(?=\S)([^_]*)(?<=\S)__/g,
  /(?<![\w*])\*(?=\S)([^*\n]*)(?<=\S)\*(?![\w*])/g,
  /`([^`\n]+)`/g,
  /^ {0,3}(?:#{1,6}|>) +(.*)/gm,
];

/** Read a quotation of Markdown: its words without the marks around them. */
export const readMarkdown = (quote: string) => MARKS.reduce((text, mark) => text.replaceAll(mark, "$1"), quote);

/** Whether nothing but unproven criteria is in the way of a result: then its judge has failed, and not its agent. */
export function isUnproven({ criteria, judge_error: error }: Verdict): boolean {
  const open = criteria.filter(({ required = true, outcome }) => required && outcome !== "pass");
  return !error && open.length > 0 && open.every(({ unproven }) => unproven);
}

/** Say in a sentence what a verdict is: "Not accepted: 2 of 5 criteria not met". */
export function describeVerdict(verdict: Verdict): string {
  const { criteria, is_valid: isValid } = verdict;
  const count = (are: (criterion: CriterionVerdict) => boolean | undefined, word: string) =>
    `${criteria.filter(are).length} of ${criteria.length} criteria ${word}`;
  if (isValid) return `Accepted: ${count(({ outcome }) => outcome === "pass", "met")}`;
  if (isUnproven(verdict)) return `Unproven: ${count(({ unproven }) => unproven, "not proven")}`;
  return `Not accepted: ${count(({ outcome }) => outcome !== "pass", "not met")}`;
}

const LETTERS: Record<string, Outcome> = { p: "pass", f: "fail", c: "cannot_assess" };

/** Read a letter for each criterion as outcomes; null where one was not asked about. */
export const readOutcomes = (letters: string): (Outcome | null)[] =>
  [...letters].map((letter) => LETTERS[letter] ?? null);

const STAGES: Record<string, string> = {
  checks: "Checks",
  single: "One judge",
  quorum: "Quorum",
  cascade: "Cascade",
  refute: "Refutation",
};

/** Name a stage; one that the page does not know has the name that it came with. */
export const nameStage = (kind: string) => STAGES[kind] ?? kind;

const ROLES: Record<string, string> = {
  judge: "judged",
  vote: "voted",
  cheap: "was asked first",
  strong: "was asked because the first was unsure",
  refute: "was told to refute a pass",
};

/** Say what a model did: "voted". */
export const describeRole = (role = "judge") => ROLES[role] ?? role;

/** Describe how much was asked, and what it came to: "3 calls, 1,204 tokens, $0.0042, 5.1 s". */
export function describeAsks(asks: readonly Ask[]): string {
  if (asks.length === 0) return "no model was asked";
  const sum = (read: (ask: Ask) => number | null | undefined) => {
    const known = asks.map(read).filter((value) => value != null);
    return known.length > 0 ? known.reduce((total, value) => total + value, 0) : null;
  };
  const tokens = sum(({ input_tokens: input, output_tokens: output }) =>
    input == null && output == null ? null : (input ?? 0) + (output ?? 0),
  );
  const [cost, latency] = [
    sum(({ cost_usd: cost }) => (cost == null ? null : Number(cost))),
    sum(({ latency_s }) => latency_s),
  ];
  return [
    pluralize(asks.length, "call"),
    tokens !== null && `${formatCount(tokens)} tokens`,
    cost !== null && formatMoney(cost),
    latency !== null && formatDuration(latency * 1_000),
  ]
    .filter(Boolean)
    .join(", ");
}
