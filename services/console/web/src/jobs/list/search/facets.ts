import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { JobFacets } from "@/api/types";
import { type JobsSearch, toJobsQuery, withoutSort } from "./jobs-search";

const VALUES_MAX = 100;

/**
 * Query of the values of a field among the jobs that match, whatever is chosen of the field itself. Read when it is
 * shown, and not again meanwhile: nothing moves under the pointer.
 */
export function facetsQuery(field: string, search: JobsSearch) {
  const filters = withoutSort(search);
  return queryOptions({
    queryKey: ["job-facets", field, filters],
    staleTime: 0,
    gcTime: 0,
    retry: false,
    queryFn: ({ signal }): Promise<JobFacets> =>
      api.get("/api/job-facets", {
        query: { ...toJobsQuery(filters, Date.now()), field, page_size: VALUES_MAX },
        signal,
      }),
  });
}
