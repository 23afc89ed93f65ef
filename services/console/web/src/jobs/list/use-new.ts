import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { api } from "@/api/client";
import type { Job, JobsPage } from "@/api/types";
import { throttledByKey } from "@/live/throttle";
import { useUnseen } from "@/live/use-live";
import { isFiltered, type JobsSearch, toQuery, unsorted } from "./filters";

const EVERY_MS = 2_000;
const COUNTED_MAX = 100;

/**
 * How many jobs were created since the list was read that would stand at its top. An event does not tell a job's title
 * or labels: where there is a filter, the console is asked.
 */
export function useNew(search: JobsSearch, jobs: readonly Job[]): number {
  const unseen = useUnseen().size;
  const [seenOf, setSeenOf] = useState(0);
  const later = useMemo(throttledByKey, []);
  useEffect(() => later("new", EVERY_MS, () => setSeenOf(unseen)), [unseen, later]);
  const asks = isFiltered(search) && seenOf > 0 && unseen > 0;
  const newest = jobs
    .map(({ created_at: at }) => at)
    .toSorted()
    .at(-1);
  const found = useQuery({
    queryKey: ["new-jobs", search, newest, seenOf],
    enabled: asks && !search.ascending,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }): Promise<JobsPage> => {
      const query = { ...toQuery(unsorted(search), Date.now()), fields: "summary" as const, limit: COUNTED_MAX };
      return api.get("/api/jobs", { query: newest ? { ...query, created_after: newest } : query, signal });
    },
  }).data;
  if (search.ascending) return 0;
  if (!isFiltered(search)) return unseen;
  const known = new Set(jobs.map(({ id }) => id));
  return asks ? (found?.items.filter(({ id }) => !known.has(id)).length ?? 0) : 0;
}
