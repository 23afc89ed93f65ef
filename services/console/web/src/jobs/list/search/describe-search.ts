import { type Filter, filtersOf, NEGATED_FILTERS, RANGE_FILTERS, VALUE_FILTERS } from "@/jobs/fields";
import { describeReason } from "@/jobs/model/waiting";
import { formatMinuteTime } from "@/lib/format";
import { boundsOf, type JobsSearch, negate, paramsOf, valuesOf } from "./jobs-search";
import { quoteValue } from "./split-query";

/** Filter in words, with the change that takes it away, and its menu or, without one, as it is typed. */
export type FilterWords = { words: string; without: Partial<JobsSearch> } & (
  | { filter: Filter; query?: undefined }
  | { filter?: undefined; query: string }
);

type NameOf = (id: string) => string;

/** Describe the filters apart from status and text, with times in a zone and agents by name. */
export function listFilters(search: JobsSearch, zone: string | undefined, nameOf: NameOf = (id) => id): FilterWords[] {
  const { notStatus, cancelled } = search;
  const describeValues = (filter: Filter, isNot: boolean): FilterWords[] => {
    const name = isNot ? negate(filter.word) : filter.word;
    const values = valuesOf(search, name);
    // A query that names a field takes the place of all its values.
    const query = values.map((each) => `-${filter.word}:${quoteValue(each)}`).join(" ");
    return values.map((each) => {
      const others = values.filter((other) => other !== each);
      const words = describeValue(filter, each, isNot, nameOf);
      const without = { [name]: others.length > 0 ? others : undefined };
      return isNot ? { words, without, query } : { words, without, filter };
    });
  };
  const found: (FilterWords | false | undefined)[] = [
    notStatus && {
      words: `status not ${notStatus.join(" or ")}`,
      without: { notStatus: undefined },
      query: `-status:${notStatus.join(",").toLowerCase()}`,
    },
    cancelled === false && {
      words: "not cancelled",
      without: { cancelled: undefined },
      query: "-status:cancelled",
    },
    ...VALUE_FILTERS.flatMap((filter) => describeValues(filter, false)),
    ...NEGATED_FILTERS.flatMap((filter) => describeValues(filter, true)),
    ...RANGE_FILTERS.map((filter) => describeRange(filter, search)),
    describeTime(search, zone),
  ];
  return found.filter((each): each is FilterWords => Boolean(each));
}

function describeValue({ word, chip, kind }: Filter, value: string, isNot: boolean, nameOf: NameOf): string {
  if (kind === "reason") return `waiting: ${describeReason(value, nameOf)}`;
  if (chip) return `${isNot ? "not: " : ""}${chip} “${value}”`;
  return `${word}${isNot ? " not" : ""} ${kind === "agent" ? nameOf(value) : value}`;
}

function describeRange(filter: Filter, search: JobsSearch): FilterWords | undefined {
  const [min, max] = boundsOf(search, filter);
  if (min === undefined && max === undefined) return undefined;
  const format = (amount = 0) => (filter.kind === "money" ? `$${amount}` : `${amount} s`);
  const upTo = min === undefined ? `at most ${format(max)}` : `from ${format(min)} to ${format(max)}`;
  const words = `${filter.word} ${max === undefined ? `at least ${format(min)}` : upTo}`;
  return { words, filter, without: Object.fromEntries(paramsOf(filter).map((name) => [name, undefined])) };
}

const [CREATED] = filtersOf("time");

function describeTime({ period, from, to }: JobsSearch, zone: string | undefined): FilterWords | undefined {
  if (!CREATED) return undefined;
  const rest = { filter: CREATED, without: { period: undefined, from: undefined, to: undefined } };
  if (period) return { words: `created within ${period}`, ...rest };
  const words = [from && `from ${formatMinuteTime(from, zone)}`, to && `until ${formatMinuteTime(to, zone)}`];
  return from || to ? { words: `created ${words.filter(Boolean).join(" ")}`, ...rest } : undefined;
}

/** Describe the whole filter, as a bulk action restates it. */
export function describeSearch(search: JobsSearch, zone: string | undefined, nameOf = (id: string) => id): string {
  const words = [
    search.status && `status ${search.status.join(" or ")}`,
    search.cancelled && "cancelled",
    search.unknown?.join(", "),
    ...listFilters(search, zone, nameOf).map((filter) => filter.words),
    search.text && `text “${search.text}”`,
  ].filter(Boolean);
  return words.length > 0 ? words.join(", ") : "all jobs";
}
