import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { jobKeys } from "@/api/query-keys";
import type { JobLog, RemovedJob } from "@/api/types";

const PAGE_SIZE = 500;
/** So many entries of a log are read at most. */
export const ENTRIES_MAX = 5_000;

export const isRemoval = ({ kind }: JobLog) => kind === "removed";

/**
 * Query of a removed job as the archive has it, with its log; what an entry holds is found where entries of other jobs
 * are, so that the parts that show them ask nobody.
 */
export const archivedQuery = (id: string) =>
  queryOptions({
    queryKey: ["removed-jobs", id],
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    queryFn: async ({ client, signal }): Promise<RemovedJob & { isCut: boolean }> => {
      const logs: JobLog[] = [];
      let page_token: string | undefined;
      let removed: RemovedJob;
      do {
        const query = { view: "full", page_size: PAGE_SIZE, page_token };
        removed = await api.get("/api/removed-jobs/{job_id}", { path: { job_id: id }, query, signal });
        logs.push(...removed.logs);
        page_token = removed.next_page_token;
      } while (page_token && logs.length < ENTRIES_MAX);
      client.setQueryDefaults(jobKeys.entries(id), { gcTime: Number.POSITIVE_INFINITY }); // nobody has them elsewhere
      for (const log of logs) client.setQueryData([...jobKeys.entries(id), log.version], log);
      return { ...removed, logs, isCut: page_token !== undefined };
    },
  });
