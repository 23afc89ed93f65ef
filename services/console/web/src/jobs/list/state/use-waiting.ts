import { useQuery } from "@tanstack/react-query";
import { createContext, use } from "react";
import { api } from "@/api/client";
import type { Job, JobsPage, Waiting, WaitReason } from "@/api/types";
import { type JobsSearch, toJobsQuery } from "@/jobs/list/search/jobs-search";
import { currentReasons } from "@/jobs/model/waiting";
import { PAGE_SIZE } from "./queries";

const EVERY_MS = 10_000;
/** Pages of the list that are read at a time: of further rows the reasons stay what they were. */
const PAGES_MAX = 10;
/** How soon it is asked for where an event told that a job waits, and none tells why. */
const SOON_MS = 2_000;

export type WaitingById = ReadonlyMap<string, Waiting>;
const UNKNOWN: WaitingById = new Map();

/** Why the jobs of the list wait, by id, where that was read since the list was. */
export const WaitingNow = createContext(UNKNOWN);

/**
 * Read anew why the loaded jobs of the list wait, as long as one does: no event tells of it. Rows stay where they are.
 */
export function useReadWaiting(search: JobsSearch, jobs: readonly Job[]): WaitingById {
  const first = jobs.slice(0, PAGES_MAX * PAGE_SIZE);
  const waits = (job: Job) => isQueued(job) || isJudged(job);
  const pages = Math.ceil((first.findLastIndex(waits) + 1) / PAGE_SIZE);
  const isOpen = (now: WaitingById) => first.some((job) => isQueued(job) && findReasons(job, now).length === 0);
  const { data = UNKNOWN } = useQuery<WaitingById>({
    queryKey: ["jobs-waiting", search],
    enabled: pages > 0,
    initialData: UNKNOWN, // what the list said is as new
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
    retry: false,
    refetchInterval: ({ state }) => (isOpen(state.data ?? UNKNOWN) ? SOON_MS : EVERY_MS),
    queryFn: async ({ signal }) => {
      const query = { ...toJobsQuery(search, Date.now()), page_size: PAGE_SIZE };
      const found = new Map<string, Waiting>();
      let cursor: string | null | undefined = "";
      for (let page = 0; page < pages && cursor != null; page++) {
        const read: JobsPage = await api.get("/api/jobs", { query: { ...query, page_token: cursor }, signal });
        for (const { id, waiting } of read.items) if (waiting) found.set(id, waiting);
        cursor = read.next_page_token;
      }
      return found;
    },
  });
  return data;
}

/** Whether a job has asked for something that nobody does yet, as far as its row tells. */
const isQueued = ({ status, live }: Job) => status === "ASSIGNED" && live === true;

/** Whether a job's result is with the judge, which may be away. */
const isJudged = ({ live, last_log: last }: Job) => live === true && last?.kind === "result";

/** Return what a job of the list waits for, the first thing first. */
export function useReasons(job: Job): WaitReason[] {
  return findReasons(job, use(WaitingNow));
}

function findReasons(job: Job, now: WaitingById): WaitReason[] {
  const reasons = currentReasons(job, now.get(job.id));
  return reasons.length > 0 ? reasons : currentReasons(job, job.waiting);
}
