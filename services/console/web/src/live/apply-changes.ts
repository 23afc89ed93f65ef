import { type InfiniteData, notifyManager, type Query, type QueryClient } from "@tanstack/react-query";
import { isTransient } from "@/api/problem";
import { DERIVED_KEYS, jobKeys } from "@/api/query-keys";
import type { Job, JobChange, JobLog, Page } from "@/api/types";
import { patchJob } from "./patch-job";
import { createThrottle, type Throttle } from "./throttle";
import { unseenJobs } from "./unseen-jobs";

const DERIVED_EVERY_MS = 2_000;
const LOGS_EVERY_MS = 1_000;

type ByJob = ReadonlyMap<string, readonly JobChange[]>;
type List = InfiniteData<Page<Job>>;

const throttles = new WeakMap<QueryClient, Throttle>();

function refetchLater(client: QueryClient, key: string, everyMs: number, run: () => void): void {
  const later = throttles.get(client) ?? createThrottle();
  throttles.set(client, later);
  later(key, everyMs, run);
}

/** Whether changes end with the removal of the job: its id is all that stays of it. */
const isRemoved = (changes: readonly JobChange[] = []) => changes.at(-1)?.log.kind === "removed";

/**
 * Apply events to the cache; nothing else does. Rows are replaced in place; none is inserted or moved, and none goes but
 * that of a job that was removed.
 * What is just being read may have been read before them, and is patched once it is there.
 */
export function applyJobs(client: QueryClient, byJob: ByJob): void {
  notifyManager.batch(() => {
    const seen = patchAll(client, byJob);
    unseenJobs.add([...byJob].filter(([id, changes]) => !seen.has(id) && changes[0]?.version === 1).map(([id]) => id));
    refetchDerived(client);
  });
  const patchAgain = () => notifyManager.batch(() => void patchAll(client, byJob));
  for (const query of findReads(client)) query.promise?.then(patchAgain, () => undefined);
}

/** Patch all that is known of these jobs, and return the ids of those in lists. */
function patchAll(client: QueryClient, byJob: ByJob): Set<string> {
  const seen = patchLists(client, (job) => {
    const changes = byJob.get(job.id);
    return isRemoved(changes) ? null : patchJob(job, changes ?? []);
  });
  for (const [id, changes] of byJob) {
    if (isRemoved(changes)) {
      forgetJob(client, id);
      continue;
    }
    patchDetail(client, id, changes);
    patchLogs(client, id, changes);
  }
  return seen;
}

const findReads = (client: QueryClient) =>
  client.getQueryCache().findAll({ queryKey: jobKeys.all, fetchStatus: "fetching" });

/** Apply a job that a request was answered with, the same way as events. */
export function applyJob(client: QueryClient, job: Job): void {
  notifyManager.batch(() => {
    client.setQueryData<Job>(jobKeys.detail(job.id), (known) =>
      known ? { ...job, live: job.live ?? known.live, last_log: job.last_log ?? known.last_log } : job,
    );
    patchLists(client, (known) => {
      if (known.id !== job.id || known.version > job.version) return known;
      return { ...known, ...job, last_log: job.last_log ?? known.last_log };
    });
    refetchLogs(client, job.id);
    refetchDerived(client);
  });
}

/** Refetch everything that is shown. What is read for the first time is not begun anew, so it is read once more. */
export async function refetchJobs(client: QueryClient): Promise<void> {
  unseenJobs.clear();
  const first = findReads(client).filter(({ state }) => state.data === undefined);
  await Promise.all([jobKeys.all, ...DERIVED_KEYS].map((queryKey) => client.invalidateQueries({ queryKey })));
  await Promise.all(first.map(({ queryKey }) => client.invalidateQueries({ queryKey, exact: true })));
}

/** Read again at once what is shown and failed, or waits to be tried again, since what serves it was away. */
export function retryFailed(client: QueryClient): void {
  const failed = (isShown: boolean) => ({
    type: "active" as const,
    predicate: ({ state: { data, fetchFailureReason } }: Query) =>
      isTransient(fetchFailureReason) && (data !== undefined) === isShown,
  });
  void client.resetQueries(failed(false)); // only that ends the wait of a first read
  void client.refetchQueries(failed(true));
}

/** Forget a job that was removed; a page that shows it reads what is said of it now. */
function forgetJob(client: QueryClient, id: string): void {
  for (const queryKey of [jobKeys.detail(id), jobKeys.logs(id)]) {
    client.removeQueries({ queryKey, type: "inactive" });
    void client.invalidateQueries({ queryKey });
  }
}

/** Replace jobs in all lists, and leave out those of which nothing is to be shown any more. */
function patchLists(client: QueryClient, patch: (job: Job) => Job | null): Set<string> {
  const seen = new Set<string>();
  for (const [queryKey, list] of client.getQueriesData<List>({ queryKey: jobKeys.lists })) {
    if (!list) continue;
    let hasChanged = false;
    const pages = list.pages.map((page) => {
      const items = page.items.flatMap((job) => {
        seen.add(job.id);
        const next = patch(job);
        hasChanged ||= next !== job;
        return next ?? [];
      });
      return { ...page, items };
    });
    if (hasChanged) client.setQueryData<List>(queryKey, { ...list, pages });
  }
  return seen;
}

function patchDetail(client: QueryClient, id: string, changes: readonly JobChange[]): void {
  const job = client.getQueryData<Job>(jobKeys.detail(id));
  if (!job) return;
  const next = patchJob(job, changes);
  if (next !== job) client.setQueryData(jobKeys.detail(id), next);
  // An assignment may change agent and payload, an edit anything; the event does not carry it.
  const isOther = ({ job, log }: JobChange) => job.status === "ASSIGNED" || log.kind === "edited";
  if (changes.some((change) => isOther(change) && change.version > job.version)) {
    void client.invalidateQueries({ queryKey: jobKeys.detail(id) });
  }
}

function patchLogs(client: QueryClient, id: string, changes: readonly JobChange[]): void {
  const logs = client.getQueryData<{ items: JobLog[] }>(jobKeys.logs(id));
  if (!logs) return;
  let last = logs.items.at(-1)?.version ?? 0;
  const more: JobLog[] = [];
  for (const change of changes) {
    if (change.version !== last + 1) continue;
    more.push(change.log);
    last = change.version;
  }
  if (more.length > 0) client.setQueryData(jobKeys.logs(id), { ...logs, items: [...logs.items, ...more] });
  refetchLogs(client, id);
}

/** Refetch a job's log: events carry no bodies, and one may be missing. */
function refetchLogs(client: QueryClient, id: string): void {
  refetchLater(
    client,
    `logs:${id}`,
    LOGS_EVERY_MS,
    () => void client.invalidateQueries({ queryKey: jobKeys.logs(id) }),
  );
}

function refetchDerived(client: QueryClient): void {
  refetchLater(client, "derived", DERIVED_EVERY_MS, () => {
    for (const queryKey of DERIVED_KEYS) void client.invalidateQueries({ queryKey });
  });
}
