import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { JobFacets, WaitingSum } from "@/api/types";
import { describeCause, joinReason } from "@/jobs/model/waiting";
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
    queryFn: async ({ signal }): Promise<JobFacets> => {
      if (field === "reason") {
        const { tenant } = filters;
        const { waiting } = await api.get("/api/overview", { query: { range: "1h", tenant }, signal });
        return countReasons(waiting ?? []);
      }
      return api.get("/api/job-facets", {
        query: { ...toJobsQuery(filters, Date.now()), field, page_size: VALUES_MAX },
        signal,
      });
    },
  });
}

/** Sums of what waits as values of a field: of all jobs, whatever else is chosen. */
const countReasons = (sums: readonly WaitingSum[]): JobFacets => ({
  facets: sums.map((sum) => ({ value: joinReason(sum), count: sum.count, name: describeCause(sum, (id) => id) })),
  capped_at: Number.MAX_SAFE_INTEGER,
});
