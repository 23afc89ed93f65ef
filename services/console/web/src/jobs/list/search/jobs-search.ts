import type { JobStatus, JobsQuery } from "@/api/types";
import {
  type Filter,
  type FilterWord,
  NEGATED_FILTERS,
  RANGE_FILTERS,
  SORTS,
  type Sort,
  VALUE_FILTERS,
} from "@/jobs/fields";
import { JOB_STATUSES } from "@/jobs/model/status";

/** Longest text, in characters, that the console searches for. */
export const TEXT_MAX = 200;

/** Periods until now that are offered. */
export const PERIODS = ["1h", "24h", "7d", "30d"] as const;
const PERIOD = /^(\d{1,4})([smhd])$/;
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Parameter of values that a job must not have. */
type NotName<W extends string> = `not${Capitalize<W>}`;
export const negate = (word: string) => `not${word.charAt(0).toUpperCase()}${word.slice(1)}` as NotName<NegatedWord>;

type OneWord = FilterWord<"agent" | "text" | "uuid">;
type ManyWord = FilterWord<"words" | "labels" | "reason">;
type ValueWord = OneWord | ManyWord;
type NegatedWord = Exclude<ValueWord, FilterWord<"reason">>;
type Bound = `${FilterWord<"money" | "span">}${"Min" | "Max"}`;

/** Search parameters of the list's address. */
export type JobsSearch = {
  status?: JobStatus[];
  /** All but these. */
  notStatus?: JobStatus[];
  /** Only those whose last execution was cancelled, or was not. */
  cancelled?: boolean;
  /** Within which until now it was created: "90m", "24h". */
  period?: string;
  /** Exact times in ISO 8601, in place of a period: created at `from` or later, and before `to`. */
  from?: string;
  to?: string;
  text?: string;
  /** Order; newest first by creation unless set. */
  sort?: Sort;
  ascending?: true;
  /** What of the address is not understood, as `name=value`: nothing is shown as if it were not there. */
  unknown?: string[];
} & Partial<
  Record<OneWord, string> & Record<ManyWord | NotName<NegatedWord>, string[]> & Record<Bound, number> // at least, and at most
>;

/** What shows the filters, and changes them: typing replaces the address, choosing adds to the history. */
export type SearchProps = { search: JobsSearch; onChange: (change: Partial<JobsSearch>, replace?: boolean) => void };

/** Parse a period such as "90m" to milliseconds; undefined when it is none. */
export function parsePeriod(text: string): number | undefined {
  const [, number, unit] = PERIOD.exec(text) ?? [];
  return number && unit ? Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS] : undefined;
}

/** Return an object without the members that are undefined. */
export function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** Return the bounds of a filter: at least, and at most. */
export function boundsOf(search: JobsSearch, { word }: Filter): [min?: number, max?: number] {
  return [search[`${word}Min` as Bound], search[`${word}Max` as Bound]];
}

/** Return the values of a parameter. */
export const valuesOf = (search: JobsSearch, name: string): string[] => [search[name as "label"] ?? []].flat();

/** Return the parameters that a filter sets in the address, but those of what it leaves out. */
export function paramsOf({ word, kind }: Filter): (keyof JobsSearch)[] {
  if (kind === "time") return ["period", "from", "to"];
  return kind === "money" || kind === "span" ? [`${word}Min` as Bound, `${word}Max` as Bound] : [word as ValueWord];
}

export const isSet = (search: JobsSearch, filter: Filter) =>
  paramsOf(filter).some((name) => search[name] !== undefined);

/** Convert the search to the API's query; a period ends at `now`. */
export function toJobsQuery(search: JobsSearch, now: number): JobsQuery {
  const { sort = "created", ascending } = search;
  const isFirst = sort === "created" && !ascending;
  const order = SORTS.find(({ word }) => word === sort)?.key;
  const ranges = RANGE_FILTERS.flatMap((filter) =>
    boundsOf(search, filter).map((bound, at) => [
      `${filter.asks}_${at === 0 ? "min" : "max"}`,
      filter.kind === "money" ? bound?.toString() : bound,
    ]),
  );
  return withoutUndefined({
    status: search.status ?? (search.notStatus && JOB_STATUSES.filter((each) => !search.notStatus?.includes(each))),
    cancelled: findCancelled(search),
    ...Object.fromEntries([
      ...VALUE_FILTERS.map(({ word, asks }) => [asks, search[word as ValueWord]]),
      ...NEGATED_FILTERS.map(({ word, asks }) => [`not_${asks}`, search[negate(word)]]),
      ...ranges,
    ]),
    text: search.text,
    created_after: findCreatedAfter(search, now),
    created_before: search.to && new Date(search.to).toISOString(),
    order: isFirst ? undefined : (`${ascending ? "" : "-"}${order}` as JobsQuery["order"]),
  });
}

/** Whether a sort, or the one that is not named, goes in both directions. */
export const canAscend = (sort: Sort = "created") =>
  SORTS.some(({ word, words }) => word === sort && words[1] !== undefined);

/** What is chosen of cancelled jobs: they stand at a status, mostly ASSIGNED, but are not shown as that. */
export const findCancelled = ({ status, cancelled }: JobsSearch) =>
  cancelled ?? (status?.includes("ASSIGNED") ? false : undefined);

export function findCreatedAfter({ period, from }: JobsSearch, now: number): string | undefined {
  if (from) return new Date(from).toISOString();
  return period && new Date(now - (parsePeriod(period) ?? 0)).toISOString();
}

/** Parse "name:value"; the value may contain colons. */
export function parseLabel(text: string): [name: string, value: string] {
  const [name = "", ...value] = text.split(":");
  return [name, value.join(":")];
}

/** Return the search without its order. */
export function withoutSort(search: JobsSearch): JobsSearch {
  const { sort: _, ascending: __, ...filters } = search;
  return filters;
}

export function isFiltered(search: JobsSearch): boolean {
  return Object.values(withoutSort(search)).some((value) => value !== undefined);
}

/** Beside an end, a period becomes the time when it began: the address has one or the other. */
export function fitTimes(search: Partial<JobsSearch>, before: JobsSearch, now: number): Partial<JobsSearch> {
  const { period, to } = search;
  if (to === undefined) return period === undefined ? search : { ...search, to: undefined };
  const lasting = period ?? (search.from === undefined ? before.period : undefined);
  if (lasting === undefined) return search;
  return { ...search, period: undefined, from: new Date(now - (parsePeriod(lasting) ?? 0)).toISOString() };
}
