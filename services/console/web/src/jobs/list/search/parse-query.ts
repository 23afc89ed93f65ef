import type { Agent, JobStatus } from "@/api/types";
import { FILTERS, type Filter, filtersOf, type Kind } from "@/jobs/fields";
import { JOB_STATUSES } from "@/jobs/model/status";
import { fromWallTime } from "@/lib/wall-time";
import { fitTimes, type JobsSearch, negate, paramsOf, parseLabel, parsePeriod, valuesOf } from "./jobs-search";
import { type QueryPart, splitQuery } from "./split-query";

/** What is wrong with a query, and where in its text. */
export type QueryProblem = { message: string; from: number; to: number };
export type ParsedQuery = { search: Partial<JobsSearch>; problem?: undefined } | { problem: QueryProblem };

type Context = {
  /** What holds already; a query changes the fields that it names, and the text. */
  before: JobsSearch;
  agents: readonly Agent[];
  now: number;
  zone: "UTC" | undefined;
};

const DAY = /^\d{4}-\d\d-\d\d$/;
const DAY_MS = 86_400_000;
/** So many agents are known at most. */
const AGENTS_MAX = 500;
const wordsOf = (...kinds: Kind[]): string[] => filtersOf(...kinds).map(({ word }) => word);

export const QUERY_FIELDS: readonly string[] = FILTERS.map(({ word }) => word);
/** Fields of which any of several values may hold. */
const ANY_OF = wordsOf("status", "words", "reason");
/** Fields that are compared. */
export const COMPARED = wordsOf("money", "span", "time");
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const LIST = new Intl.ListFormat("en-GB");
const AMOUNT = /^\$?(\d+(?:\.\d+)?)$/;
const SPAN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/;
const SPAN_UNITS_S = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const OTHER_WORDS: Record<string, JobStatus> = { RUNNING: "IN_PROGRESS", RESUBMIT: "RESUBMISSION_REQUIRED" };

/** A value that cannot be, in words. */
class Wrong extends Error {}

/** Parsers of the amounts that are compared, by kind. */
export const AMOUNT_PARSERS: Partial<Record<Kind, (text: string) => number>> = { money: parseCost, span: parseSpan };

/** Read a part of a query as its field is read. Throws with what is wrong. */
function readField(
  filter: Filter,
  { value, operator = ":" }: QueryPart,
  search: Partial<JobsSearch>,
  context: Context,
) {
  if (filter.kind === "time") return readCreated(value, operator, context);
  const parse = AMOUNT_PARSERS[filter.kind];
  if (!parse) {
    if (operator !== ":") throw new Wrong(`only ${LIST.format(COMPARED)} are compared; write a colon`);
    if (value === "") throw new Wrong("a value is missing");
    return readValue(filter, value, search, context);
  }
  if (operator === ":") throw new Wrong("write > or <, as in cost>0.1 or duration>60s");
  const [min = "", max = ""] = paramsOf(filter);
  return { [operator.startsWith(">") ? min : max]: parse(value) };
}

function readValue({ word, kind }: Filter, value: string, search: Partial<JobsSearch>, { before, agents }: Context) {
  switch (kind) {
    case "status":
      return readStatuses(value, search);
    case "words":
      return { [word]: [...new Set([...valuesOf(search, word), ...value.split(",").filter(Boolean)])] };
    case "reason": // its name may have commas
      return { [word]: [...new Set([...valuesOf(search, word), value])] };
    case "labels":
      return readLabel(value, search.label ?? before.label ?? []);
    case "uuid":
      if (!UUID.test(value)) throw new Wrong(`a ${word} is named by a UUID`);
  }
  return { [word]: kind === "agent" ? requireAgent(value, agents) : value };
}

function readLabel(value: string, labels: readonly string[]): Partial<JobsSearch> {
  const [name, rest] = parseLabel(value.replace(/^([^:=]+)=/, "$1:"));
  if (!name || !value.slice(name.length)) throw new Wrong("a label is name=value, such as label:team=press");
  return { label: [...labels.filter((each) => parseLabel(each)[0] !== name), `${name}:${rest}`] };
}

function readStatuses(value: string, { status = [], cancelled }: Partial<JobsSearch>): Partial<JobsSearch> {
  const words = value.split(",").map((each) => each.trim().toUpperCase().replace(/[-\s]/g, "_"));
  if (words.length === 1 && words[0] === "CANCELLED") return { cancelled: true };
  const found = words.map((word) => OTHER_WORDS[word] ?? word);
  const unknown = found.find((word) => !JOB_STATUSES.includes(word as JobStatus));
  if (unknown === "CANCELLED") throw new Wrong("cancelled jobs have another status: ask for them alone");
  if (unknown !== undefined)
    throw new Wrong(`a status is one of ${[...JOB_STATUSES, "CANCELLED"].join(", ").toLowerCase()}`);
  return { status: [...new Set([...status, ...(found as JobStatus[])])], cancelled };
}

/** Find an agent by its id or name. One that is not there is taken only where not all agents are known. */
function requireAgent(value: string, agents: readonly Agent[]): string {
  const isSame = (text: string) => text.toLowerCase() === value.toLowerCase();
  const found = agents.find(({ id }) => id === value) ?? agents.find(({ name }) => isSame(name));
  if (!found && agents.length > 0 && agents.length < AGENTS_MAX) throw new Wrong("there is no such agent");
  return found?.id ?? value;
}

/** Parse dollars. Throws with what is wrong. */
function parseCost(text: string): number {
  const [, amount] = AMOUNT.exec(text.trim()) ?? [];
  if (amount === undefined) throw new Wrong("a cost is in dollars, such as 0.1");
  return Number(amount);
}

/** Parse a duration to seconds. Throws with what is wrong. */
function parseSpan(text: string): number {
  const [, amount, unit = "s"] = SPAN.exec(text.trim().replace(/\s+/g, "")) ?? [];
  if (amount === undefined) throw new Wrong("a duration is such as 60s, 5m or 2h");
  return Number(amount) * SPAN_UNITS_S[unit as keyof typeof SPAN_UNITS_S];
}

/**
 * A span is an age: `created:1d` and `created<1d` are within the last day, `created>1d` is longer ago. A time is a time:
 * `created<2026-11-24` is before that day, `created:2026-11-24` on it.
 */
function readCreated(value: string, operator: string, { now, zone }: Context) {
  const isGreater = operator.startsWith(">");
  const periodMs = parsePeriod(value);
  if (periodMs !== undefined)
    return isGreater ? { to: new Date(now - periodMs).toISOString() } : { period: value, from: undefined };
  const at = DAY.test(value) ? fromWallTime(`${value}T00:00`, zone) : readTime(value, zone);
  if (at === undefined) throw new Wrong("a time is such as 1h, 7d, 2026-11-24 or 2026-11-24T10:00");
  if (operator !== ":") return isGreater ? { from: at, period: undefined } : { to: at };
  if (!DAY.test(value)) throw new Wrong("write > or < before a time, or a colon before a day");
  const next = new Date(Date.parse(`${value}T00:00Z`) + DAY_MS).toISOString().slice(0, 10);
  return { from: at, to: fromWallTime(`${next}T00:00`, zone), period: undefined };
}

const readTime = (value: string, zone: "UTC" | undefined) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value)
    ? fromWallTime(value, /[zZ]|[+-]\d\d:?\d\d$/.test(value) ? undefined : zone)
    : undefined;

/** Parse a typed query: what it changes, or what is wrong with it, and where. */
export function parseQuery(text: string, context: Context): ParsedQuery {
  const words: string[] = [];
  let search: Partial<JobsSearch> = {};
  const parts = splitQuery(text);
  for (const [index, part] of parts.entries()) {
    const problem = (message: string) => ({ problem: { message, from: part.from, to: part.to } });
    if (part.isOpen) return problem("A quotation mark is not closed.");
    if (text.slice(part.from, part.to) === "OR") {
      if (isBetweenAnyOf(parts[index - 1], parts[index + 1])) continue;
      return problem(
        `OR stands between values of ${ANY_OF.join(" or of ")}, as in status:failed OR status:rejected; put it in quotation marks to search for the word.`,
      );
    }
    if (part.field === undefined) {
      words.push(part.value);
      continue;
    }
    try {
      search = { ...search, ...readPart(part, search, context) };
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      return problem(`${text.slice(part.from, part.to)}: ${error.message}.`);
    }
  }
  if (search.status && search.notStatus)
    return { problem: { message: "Name statuses, or negate them; not both.", from: 0, to: text.length } };
  return {
    search: {
      ...replaceStatuses(search),
      ...fitTimes(search, context.before, context.now),
      text: words.join(" ") || undefined,
    },
  };
}

/** Statuses that are named take the place of those that are negated, and the other way round. */
function replaceStatuses({ status, notStatus }: Partial<JobsSearch>): Partial<JobsSearch> {
  if (status) return { notStatus: undefined };
  return notStatus ? { status: undefined } : {};
}

/** Whether both parts name values of one field that takes several. */
function isBetweenAnyOf(before: QueryPart | undefined, after: QueryPart | undefined): boolean {
  const [one, other] = [before, after].map((part) => (part?.isNegated ? undefined : part?.field?.toLowerCase()));
  return one !== undefined && one === other && ANY_OF.includes(one);
}

function readPart(part: QueryPart, search: Partial<JobsSearch>, context: Context): Partial<JobsSearch> {
  const filter = FILTERS.find(({ word }) => word === part.field?.toLowerCase());
  if (!filter)
    throw new Wrong(`there is no such field; use ${QUERY_FIELDS.join(", ")}, or put words in quotation marks`);
  if (!part.isNegated) return readField(filter, part, search, context);
  const { word, kind } = filter;
  if (kind === "reason") throw new Wrong("what jobs wait for is not negated");
  if (COMPARED.includes(word)) throw new Wrong("turn the comparison round instead of the minus");
  const negated: Partial<JobsSearch> = readField(filter, part, {}, { ...context, before: {} });
  if (negated.cancelled) return { cancelled: false };
  const into = negate(word as "label");
  return { [into]: [...new Set([...valuesOf(search, into), ...valuesOf(negated, word)])] };
}
