import { infiniteQueryOptions, queryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";
import { api } from "@/api/client";
import { ApiError } from "@/api/problem";
import { jobKeys } from "@/api/query-keys";
import type { JobCounts, JobsPage } from "@/api/types";
import { type JobsSearch, toJobsQuery, withoutSort } from "@/jobs/list/search/jobs-search";
import { JOB_STATUSES } from "@/jobs/model/status";
import { rememberOrder } from "./list-memory";

export const PAGE_SIZE = 100;
/** How long the list is cached while a job's page is read, in milliseconds. */
const KEPT_MS = 1_800_000;

/** Throw for a filter that is not understood: all jobs would be shown as if it were not there. */
function refuseUnknown({ unknown }: JobsSearch) {
  if (unknown === undefined) return;
  const statuses = unknown.some((each) => /status=/i.test(each))
    ? ` A status is one of ${JOB_STATUSES.join(", ")}.`
    : "";
  const detail = `There is no such filter, or no such value: ${unknown.join(", ")}.${statuses}`;
  throw new ApiError({ status: 422, code: "unknown_filter", title: "The filter is not understood", detail });
}

function jobsQuery(search: JobsSearch) {
  return infiniteQueryOptions({
    queryKey: jobKeys.list(search),
    queryFn: async ({ pageParam, signal }): Promise<JobsPage> => {
      refuseUnknown(search);
      const query = {
        ...toJobsQuery(search, Date.now()),
        page_size: PAGE_SIZE,
        page_token: pageParam,
      };
      return api.get("/api/jobs", { query, signal });
    },
    gcTime: KEPT_MS,
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token ?? undefined,
  });
}

/** Query of how many jobs match by status, whatever status is chosen. Nothing waits for it. */
export function countsQuery(search: JobsSearch) {
  const { status: _, notStatus: __, cancelled: ___, ...filters } = withoutSort(search);
  return queryOptions({
    queryKey: [...jobKeys.counts, filters],
    retry: false,
    queryFn: async ({ signal }): Promise<JobCounts> => {
      refuseUnknown(search);
      return api.get("/api/job-counts", { query: toJobsQuery(filters, Date.now()), signal });
    },
  });
}

export type JobsList = ReturnType<typeof useJobs>;

/** Jobs read so far, and how to read on. */
export function useJobs(search: JobsSearch) {
  const query = useInfiniteQuery(jobsQuery(search));
  const { data, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query;
  const jobs = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  const searched = countSearched(data?.pages);
  useEffect(() => rememberOrder(jobs.map((job) => job.id)), [jobs]);
  const canReadOn = hasNextPage && !isFetchingNextPage && !isFetchNextPageError && searched === undefined;
  const more = useCallback(() => {
    if (canReadOn) void fetchNextPage();
  }, [canReadOn, fetchNextPage]);
  return { query, jobs, searched, more };
}

/** Count the jobs searched for a text so far, when the search pauses; undefined while it goes on by itself. */
function countSearched(pages: readonly JobsPage[] | undefined): number | undefined {
  const last = pages?.at(-1);
  if (!last?.next_page_token || last.searched == null || last.items.length >= PAGE_SIZE) return undefined;
  return pages?.reduce((sum, page) => sum + (page.searched ?? 0), 0);
}
