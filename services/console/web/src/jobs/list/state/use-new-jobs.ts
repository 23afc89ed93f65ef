import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { api } from "@/api/client";
import type { Job, JobsPage } from "@/api/types";
import { SORTS } from "@/jobs/fields";
import { isFiltered, type JobsSearch, toJobsQuery, withoutSort } from "@/jobs/list/search/jobs-search";
import { createThrottle } from "@/live/throttle";
import { useUnseen } from "@/live/use-live";

const ASK_EVERY_MS = 2_000;
const COUNTED_MAX = 100;

/** Whether new jobs come first, or soon; none has a place by how it ended. */
const isOnTop = ({ sort, ascending }: JobsSearch) =>
  !ascending && !SORTS.some(({ word, isOfEnded }) => isOfEnded && word === sort);

/**
 * Count the jobs created since the list was read that would be at its top. An event does not tell a job's title
 * or labels: where there is a filter, the console is asked which of the newest match.
 */
export function useNewJobCount(search: JobsSearch, jobs: readonly Job[]): number {
  const unseen = useUnseen();
  const [seenOf, setSeenOf] = useState(0);
  const throttle = useMemo(createThrottle, []);
  useEffect(() => throttle("new", ASK_EVERY_MS, () => setSeenOf(unseen.size)), [unseen, throttle]);
  const found = useQuery({
    queryKey: ["new-jobs", search, seenOf],
    enabled: isFiltered(search) && isOnTop(search) && seenOf > 0 && unseen.size > 0,
    placeholderData: (before: JobsPage | undefined, query): JobsPage | undefined =>
      query?.queryKey[1] === search ? before : undefined,
    queryFn: ({ signal }): Promise<JobsPage> => {
      const query = {
        ...toJobsQuery(withoutSort(search), Date.now()),
        page_size: COUNTED_MAX,
      };
      return api.get("/api/jobs", { query, signal });
    },
  }).data;
  if (!isOnTop(search)) return 0;
  const known = new Set(jobs.map(({ id }) => id));
  const ids = isFiltered(search) ? (found?.items.map(({ id }) => id) ?? []) : [...unseen];
  return ids.filter((id) => unseen.has(id) && !known.has(id)).length;
}
