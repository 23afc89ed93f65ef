import type { Job, JobStatus, JobsQuery } from "@/api/types";
import { JOB_STATUSES } from "@/jobs/model/status";
import { formatMinuteTime } from "@/lib/format";

/** Longest text, in characters, that the console searches for. */
export const TEXT_MAX = 200;

/** Periods until now, in milliseconds, in which a job was created. */
export const PERIODS = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 } as const;
export type Period = keyof typeof PERIODS;
const SORTS = ["created", "updated"] as const;
export type Sort = (typeof SORTS)[number];

/** Search parameters of the list's address. */
export type JobsSearch = {
  status?: JobStatus[];
  /** Only those whose last execution was cancelled. */
  cancelled?: true;
  agent?: string;
  tenant?: string;
  batch?: string;
  label?: string[];
  period?: Period;
  /** Exact times in ISO 8601, in place of a period: created at `from` or later, and before `to`. */
  from?: string;
  to?: string;
  text?: string;
  /** Order; newest first by creation unless set. */
  sort?: Sort;
  ascending?: true;
};

type RawSearch = Record<string, string | string[] | undefined>;

/**
 * Parse an address that may be typed by hand. Values that are not valid become undefined, since absent ones would stay
 * as typed.
 */
export function parseJobsSearch(raw: RawSearch): JobsSearch {
  const statuses = toList(raw.status).filter((word): word is JobStatus => JOB_STATUSES.includes(word as JobStatus));
  const labels = toList(raw.label).filter((label) => label.indexOf(":") > 0);
  const [from, to] = [toTime(raw.from), toTime(raw.to)];
  const period = from || to ? undefined : toText(raw.period);
  const sort = toText(raw.sort);
  return {
    status: statuses.length > 0 ? statuses : undefined,
    cancelled: String(toText(raw.cancelled)) === "true" ? true : undefined,
    agent: toText(raw.agent),
    tenant: toText(raw.tenant),
    batch: toText(raw.batch),
    label: labels.length > 0 ? labels : undefined,
    period: period && period in PERIODS ? (period as Period) : undefined,
    from,
    to,
    text: toText(raw.text),
    sort: SORTS.includes(sort as Sort) ? (sort as Sort) : undefined,
    ascending: String(toText(raw.ascending)) === "true" ? true : undefined,
  };
}

const toList = (value: string | string[] | undefined) => (value === undefined ? [] : [value].flat());
const toText = (value: string | string[] | undefined) => toList(value)[0] || undefined;
const toTime = (value: string | string[] | undefined) => {
  const text = toText(value);
  return text && !Number.isNaN(Date.parse(text)) ? text : undefined;
};

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** Convert the search to the API's query; a period ends at `now`. */
export function toJobsQuery(search: JobsSearch, now: number): JobsQuery {
  const { sort = "created", ascending } = search;
  const isFirst = sort === "created" && !ascending;
  return withoutUndefined({
    status: search.status,
    cancelled: findCancelled(search),
    agent_id: search.agent,
    tenant: search.tenant,
    batch_id: search.batch,
    label: search.label,
    q: search.text,
    created_after: findCreatedAfter(search, now),
    created_before: search.to && new Date(search.to).toISOString(),
    sort: isFirst ? undefined : (`${ascending ? "" : "-"}${sort}_at` as const),
  });
}

/** What is chosen of cancelled jobs: they stand at a status, mostly ASSIGNED, but are not shown as that. */
export const findCancelled = ({ status, cancelled }: JobsSearch) =>
  cancelled ?? (status?.includes("ASSIGNED") ? false : undefined);

export function findCreatedAfter({ period, from }: JobsSearch, now: number): string | undefined {
  if (from) return new Date(from).toISOString();
  return period && new Date(now - PERIODS[period]).toISOString();
}

/** Whether a job passes the filters. A row that no longer does stays, dimmed, until the list is read again. */
export function matches(job: Job, search: JobsSearch, now: number): boolean {
  return explainMismatch(job, search, now) === null;
}

/** Explain which filter a job does not pass; null when it passes all. */
export function explainMismatch(job: Job, search: JobsSearch, now: number): string | null {
  const { status, agent, tenant, batch, label = [], text = "" } = search;
  if (status && !status.includes(job.status)) return "its status is another";
  const cancelled = findCancelled(search);
  if (cancelled !== undefined && job.cancelled !== cancelled)
    return cancelled ? "it is not cancelled any more" : "it was cancelled";
  if (agent && job.agent_id !== agent) return "its agent is another";
  if (tenant && job.tenant !== tenant) return "its tenant is another";
  if (batch && job.batch_id !== batch.toLowerCase()) return "its batch is another";
  const created = Date.parse(job.created_at);
  if (created < Date.parse(findCreatedAfter(search, now) ?? job.created_at)) return "it was created earlier";
  if (search.to && created >= Date.parse(search.to)) return "it was created later";
  const sought = text.toLowerCase();
  if (![job.title, job.id].some((each) => each.toLowerCase().includes(sought))) return "its title is another";
  const isLabelled = label.every((each) => {
    const [name, value] = parseLabel(each);
    return job.labels?.[name] === value;
  });
  return isLabelled ? null : "its labels are others";
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

/** Describe the filters, with times in a zone and agents by name, as a bulk action restates them. */
export function describeSearch(search: JobsSearch, zone: string | undefined, nameOf = (id: string) => id): string {
  const words = [
    search.status && `status ${search.status.join(" or ")}`,
    search.cancelled && "cancelled",
    search.agent && `agent ${nameOf(search.agent)}`,
    search.tenant && `tenant ${search.tenant}`,
    search.batch && `batch ${search.batch}`,
    ...(search.label ?? []).map((label) => `label ${label}`),
    describeTime(search, zone),
    search.text && `text “${search.text}”`,
  ].filter(Boolean);
  return words.length > 0 ? words.join(", ") : "all jobs";
}

export function describeTime({ period, from, to }: JobsSearch, zone: string | undefined): string | undefined {
  if (period) return `created within ${period}`;
  const words = [from && `from ${formatMinuteTime(from, zone)}`, to && `until ${formatMinuteTime(to, zone)}`].filter(
    Boolean,
  );
  return words.length > 0 ? `created ${words.join(" ")}` : undefined;
}
