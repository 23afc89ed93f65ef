import type { JobStatus } from "@/api/types";
import { type Kind, NEGATED_FILTERS, RANGE_FILTERS, SORTS, VALUE_FILTERS } from "@/jobs/fields";
import { JOB_STATUSES } from "@/jobs/model/status";
import { canAscend, type JobsSearch, negate, paramsOf, parsePeriod } from "./jobs-search";

/** Names that filters have at other doors, by which they are taken here, too. */
const OTHER_NAMES: Record<string, string> = {
  ...{ q: "text", created_after: "from", created_before: "to", spent_min: "costMin", spent_max: "costMax" },
  ...Object.fromEntries([
    ...VALUE_FILTERS.map(({ word, asks }) => [asks, word]),
    ...NEGATED_FILTERS.map(({ word, asks }) => [`not_${asks}`, negate(word)]),
    ...RANGE_FILTERS.flatMap(({ word, asks }) =>
      [asks, word].flatMap((name) => [
        [`${name}_min`, `${word}Min`],
        [`${name}_max`, `${word}Max`],
      ]),
    ),
  ]),
};

type Raw = string | string[] | undefined;
type RawSearch = Record<string, Raw>;

/**
 * Parse an address that may be typed by hand. Values that are not valid become undefined, since absent ones would stay
 * as typed, and are listed as unknown.
 */
export function parseJobsSearch(typed: RawSearch): JobsSearch {
  const raw = Object.fromEntries(Object.entries(typed).map(([name, value]) => [OTHER_NAMES[name] ?? name, value]));
  const search = parseKnown(raw);
  const unknown = orNone([...toList(raw.unknown), ...listUnknown(raw, search)]);
  const others = Object.keys(typed).filter((name) => !(name in search));
  return { ...search, ...Object.fromEntries(others.map((name) => [name, undefined])), unknown };
}

function parseKnown(raw: RawSearch): JobsSearch {
  const [from, to] = [toTime(raw.from), toTime(raw.to)];
  const period = from || to ? undefined : toText(raw.period);
  const sort = SORTS.find(({ word }) => word === toText(raw.sort));
  const filters = [
    ...VALUE_FILTERS.map(({ word, kind }) => [word, (isOfMany(kind) ? toMany(kind) : toText)(raw[word])]),
    ...NEGATED_FILTERS.map(({ word, kind }) => [negate(word), toMany(kind)(raw[negate(word)])]),
    ...RANGE_FILTERS.flatMap(paramsOf).map((name) => [name, toAmount(raw[name])]),
  ];
  return {
    status: toStatuses(raw.status),
    notStatus: toStatuses(raw.notStatus),
    cancelled: isTrue(raw.cancelled) ?? (toText(raw.cancelled) === "false" ? false : undefined),
    ...(Object.fromEntries(filters) as Partial<JobsSearch>),
    period: period && parsePeriod(period) !== undefined ? period : undefined,
    from,
    to,
    text: toText(raw.text),
    sort: sort?.word,
    ascending: canAscend(sort?.word) ? isTrue(raw.ascending) : undefined,
  };
}

const isOfMany = (kind: Kind) => kind === "words" || kind === "labels" || kind === "reason";
const toMany = (kind: Kind) => (kind === "labels" ? toLabels : toTexts);

/** List what was typed and is no part of the search. */
function listUnknown(raw: RawSearch, search: JobsSearch): string[] {
  const isGivenWay = (name: string) =>
    (name === "period" && (search.from ?? search.to) !== undefined) ||
    (name === "ascending" && !canAscend(search.sort));
  return Object.entries(raw).flatMap(([name, value]) => {
    if (name === "unknown" || isGivenWay(name)) return [];
    const taken = search[name as keyof JobsSearch];
    const isTaken = (each: string) =>
      Array.isArray(taken)
        ? (taken as string[]).includes(name.endsWith("tatus") ? each.toUpperCase() : each)
        : taken !== undefined;
    const left = toList(value).filter((each) => each !== "" && each !== "false" && !isTaken(each));
    return left.map((each) => `${name}=${each}`);
  });
}

const toStatuses = (value: Raw) =>
  orNone(
    toList(value)
      .map((word) => word.toUpperCase())
      .filter((word): word is JobStatus => JOB_STATUSES.includes(word as JobStatus)),
  );
// What was parsed is parsed again, with its numbers and booleans.
const toList = (value: Raw): string[] => (value === undefined ? [] : [value].flat().map(String));
const orNone = <T>(list: T[]) => (list.length > 0 ? list : undefined);
const toTexts = (value: Raw) => orNone(toList(value).filter(Boolean));
const toLabels = (value: Raw) => orNone(toList(value).filter((label) => label.indexOf(":") > 0));
const toText = (value: Raw) => toList(value)[0] || undefined;
const isTrue = (value: Raw) => (toText(value) === "true" ? true : undefined);
const toTime = (value: Raw) => {
  const text = toText(value);
  return text && !Number.isNaN(Date.parse(text)) ? text : undefined;
};
const toAmount = (value: Raw) => {
  const [text] = toList(value);
  const number = Number(text);
  return text !== undefined && text !== "" && Number.isFinite(number) && number >= 0 ? number : undefined;
};
