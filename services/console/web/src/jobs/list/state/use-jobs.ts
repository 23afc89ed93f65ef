import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";
import type { JobsPage } from "@/api/types";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { rememberOrder } from "./list-memory";
import { jobsQuery, PAGE_SIZE } from "./queries";

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
