import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { jobKeys } from "@/api/query-keys";
import type { JobLog, Page } from "@/api/types";

const NEWEST_SIZE = 100;
const NEWEST_MAX = 1_000;
export const OLDER_SIZE = 500;
const MILESTONES_MAX = 500;

export type JobLogs = { items: JobLog[] };
type Query = Record<string, string | number | readonly string[]>;

/** Query of the newest entries of a job's log, oldest first and without bodies; live events append to it. */
export function logsQuery(id: string) {
  return queryOptions({
    queryKey: jobKeys.logs(id),
    queryFn: async ({ client, signal }): Promise<JobLogs> => {
      const known = client.getQueryData<JobLogs>(jobKeys.logs(id))?.items ?? [];
      return { items: await readNewest(id, known, signal) };
    },
  });
}

/** Read the entries since the last known one and append them; when they are more than NEWEST_MAX, keep the newest. */
async function readNewest(id: string, known: readonly JobLog[], signal: AbortSignal): Promise<JobLog[]> {
  const next = (known.at(-1)?.version ?? 0) + 1;
  const news: JobLog[] = [];
  let cursor: string | null | undefined = "";
  let first = Number.POSITIVE_INFINITY;
  do {
    const page: Page<JobLog> = await readEntries(
      id,
      { newest_first: "true", page_size: NEWEST_SIZE, page_token: cursor },
      signal,
    );
    news.push(...page.items);
    cursor = page.next_page_token;
    first = news.at(-1)?.version ?? next;
  } while (known.length > 0 && first > next && cursor && news.length < NEWEST_MAX);
  const before = known.filter(({ version }) => version < first);
  return [...before, ...news.toReversed()].slice(-NEWEST_MAX);
}

/** Query of entries before a version, newest first, page by page on demand. Recorded entries never change. */
export function olderLogsQuery(id: string, before: number) {
  return infiniteQueryOptions({
    queryKey: [...jobKeys.entries(id), "before", before],
    queryFn: ({ pageParam, signal }) =>
      readEntries(id, { newest_first: "true", page_size: OLDER_SIZE, from_version: pageParam }, signal),
    initialPageParam: before - 1,
    getNextPageParam: ({ items }) => (items.at(-1)?.version ?? 1) - 1 || undefined,
    staleTime: Number.POSITIVE_INFINITY,
    enabled: false,
  });
}

/** Query of the entries that begin or end something, or hold a result: few, however many report progress. */
export function milestonesQuery(id: string) {
  return queryOptions({
    queryKey: [...jobKeys.logs(id), "milestones"],
    queryFn: async ({ signal }): Promise<JobLogs> => {
      const query = {
        kind: MILESTONES,
        newest_first: "true",
        page_size: MILESTONES_MAX,
      };
      return { items: (await readEntries(id, query, signal)).items.toReversed() };
    },
  });
}

/** Query of one entry, with request and response. */
export function entryQuery(id: string, version: number) {
  return queryOptions({
    queryKey: [...jobKeys.entries(id), version],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }): Promise<JobLog | null> => {
      const { items } = await readEntries(id, { from_version: version, page_size: 1, view: "full" }, signal);
      return items.find((entry) => entry.version === version) ?? null;
    },
  });
}

function readEntries(id: string, query: Query, signal: AbortSignal): Promise<Page<JobLog>> {
  return api.get("/api/jobs/{job_id}/logs", { path: { job_id: id }, query, signal });
}

const REQUESTS = ["created", "assigned", "matched", "handed_on", "requested", "edited"];
const FAILURES = ["call_failed", "attempt_failed", "lapsed", "matching_failed"];
const RESULTS = ["result", "met", "not_met"];
const MILESTONES = [
  ...["requested", "claimed", "call_begun", "call_failed", "attempt_failed", "given_back", "lapsed", "judging_claimed"],
  ...["misjudged", "rejudged", "failed", "declined", "deadline", "cancelled", "over_budget", ...RESULTS],
];

export const hasRequest = ({ kind }: JobLog) => REQUESTS.includes(kind ?? "");
/** Whether an entry holds an agent's result; null is a result too. A job whose judge proved nothing has failed. */
export const hasResult = ({ kind, code }: Pick<JobLog, "kind" | "code">) =>
  RESULTS.includes(kind ?? "") || (kind === "failed" && code === "verdict_unproven");
/** Whether an entry is a result that came after cancellation. */
export const isLate = ({ kind, status }: JobLog) => kind === "result" && status === "CANCELLED";
export const isFailure = ({ kind, status }: JobLog) =>
  FAILURES.includes(kind ?? "") || (status === "FAILED" && kind !== "edited" && kind !== "spent");

/** How the executor begins the message of an answer that was no success: no field of an entry tells the HTTP status. */
const HTTP_STATUS = /^the agent answered (\d{3})(?:: |$)/;

/** Format the code of an entry, with the HTTP status where that is what failed: "agent_status 422". */
export function formatCode({ code, message }: Pick<JobLog, "code" | "message">): string | null {
  const status = code === "agent_status" && HTTP_STATUS.exec(message ?? "")?.[1];
  return status ? `${code} ${status}` : (code ?? null);
}

/** How a message begins that tells where a verdict was made: its reason is what matters in a line. */
const REUSED = /^verdict reused of job .+? version \d+: (.*)$/s;

/** Return the message of an entry without what its code says already. */
export function formatReason({ code, message }: Pick<JobLog, "code" | "message">): string {
  const text = message ?? "";
  if (code === "verdict_reused") return text.replace(REUSED, "$1; verdict reused");
  return code === "agent_status" ? text.replace(HTTP_STATUS, "") : text;
}

export const hasResponse = (log: JobLog) => hasResult(log) || log.kind === "progress";
