import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { jobKeys } from "@/api/query-keys";
import type { JobCounts, JobsPage } from "@/api/types";
import { type JobsSearch, toJobsQuery, withoutSort } from "@/jobs/list/search/jobs-search";

export const PAGE_SIZE = 100;
/** How long the list is cached while a job's page is read, in milliseconds. */
const KEPT_MS = 1_800_000;

export function jobsQuery(search: JobsSearch) {
  return infiniteQueryOptions({
    queryKey: jobKeys.list(search),
    queryFn: ({ pageParam, signal }): Promise<JobsPage> => {
      const query = { ...toJobsQuery(search, Date.now()), fields: "summary", limit: PAGE_SIZE, cursor: pageParam };
      return api.get("/api/jobs", { query, signal });
    },
    gcTime: KEPT_MS,
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** Query of how many jobs match by status, whatever status is chosen. Nothing waits for it. */
export function countsQuery(search: JobsSearch) {
  const { status: _, cancelled: __, ...filters } = withoutSort(search);
  return queryOptions({
    queryKey: [...jobKeys.counts, filters],
    retry: false,
    queryFn: ({ signal }): Promise<JobCounts> =>
      api.get("/api/job-counts", { query: toJobsQuery(filters, Date.now()), signal }),
  });
}
