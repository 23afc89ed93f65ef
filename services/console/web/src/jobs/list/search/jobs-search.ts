import type { JobStatus, JobsQuery } from "@/api/types";
import { JOB_STATUSES } from "@/jobs/model/status";

/** Longest text, in characters, that the console searches for. */
export const TEXT_MAX = 200;

/** Periods until now that are offered. */
export const PERIODS = ["1h", "24h", "7d", "30d"] as const;
const PERIOD = /^(\d{1,4})([smhd])$/;
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** By what the list is sorted. Only jobs whose last execution ended have a place by cost or duration. */
export const SORTS = {
  created: "created_at",
  updated: "updated_at",
  priority: "priority",
  cost: "cost_usd",
  duration: "duration_s",
} as const;
export type Sort = keyof typeof SORTS;

/** Parameters of values that a job must not have. */
export type NotField = "notAgent" | "notTenant" | "notBatch" | "notLabel" | "notCode" | "notCriterion";

/** Search parameters of the list's address. */
export type JobsSearch = {
  status?: JobStatus[];
  /** All but these. */
  notStatus?: JobStatus[];
  /** Only those whose last execution was cancelled, or was not. */
  cancelled?: boolean;
  agent?: string;
  tenant?: string;
  batch?: string;
  label?: string[];
  /** Any of them: why the last execution was not completed. */
  code?: string[];
  /** Text of a required criterion that the last verdict did not pass. */
  criterion?: string;
  /** In USD, and in seconds; at least and at most. */
  costMin?: number;
  costMax?: number;
  durationMin?: number;
  durationMax?: number;
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
} & Partial<Record<NotField, string[]>>;

/** Parse a period such as "90m" to milliseconds; undefined when it is none. */
export function parsePeriod(text: string): number | undefined {
  const [, number, unit] = PERIOD.exec(text) ?? [];
  return number && unit ? Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS] : undefined;
}

/** Return an object without the members that are undefined. */
export function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** Convert the search to the API's query; a period ends at `now`. */
export function toJobsQuery(search: JobsSearch, now: number): JobsQuery {
  const { sort = "created", ascending } = search;
  const isFirst = sort === "created" && !ascending;
  return withoutUndefined({
    status: search.status ?? (search.notStatus && JOB_STATUSES.filter((each) => !search.notStatus?.includes(each))),
    cancelled: findCancelled(search),
    agent_id: search.agent,
    tenant: search.tenant,
    batch_id: search.batch,
    label: search.label,
    code: search.code,
    criterion_not_met: search.criterion,
    not_agent_id: search.notAgent,
    not_tenant: search.notTenant,
    not_batch_id: search.notBatch,
    not_label: search.notLabel,
    not_code: search.notCode,
    not_criterion_not_met: search.notCriterion,
    cost_usd_min: search.costMin?.toString(),
    cost_usd_max: search.costMax?.toString(),
    duration_s_min: search.durationMin,
    duration_s_max: search.durationMax,
    text: search.text,
    created_after: findCreatedAfter(search, now),
    created_before: search.to && new Date(search.to).toISOString(),
    order: isFirst ? undefined : (`${ascending ? "" : "-"}${SORTS[sort]}` as JobsQuery["order"]),
  });
}

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
