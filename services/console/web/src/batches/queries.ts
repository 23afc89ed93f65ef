import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Batch, Job, JobStatus, Operation, Page } from "@/api/types";

const PAGE_SIZE = 50;
const FAILURES_SHOWN = 20;

/** Query keys of batches. A batch with its items has a key apart: it may be large, and has events of its own. */
export const batchKeys = {
  list: ["batches", "list"] as const,
  failures: (id: string, number: number) => ["batches", "failures", id, number] as const,
  detail: (id: string) => ["batch", id] as const,
};

export const batchesQuery = infiniteQueryOptions({
  queryKey: batchKeys.list,
  queryFn: ({ pageParam, signal }): Promise<Page<Operation>> =>
    api.get("/api/batches", { query: { limit: PAGE_SIZE, cursor: pageParam }, signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.next_cursor ?? undefined,
});

export function batchQuery(id: string) {
  return queryOptions({
    queryKey: batchKeys.detail(id),
    queryFn: ({ signal }): Promise<Batch> => api.get("/api/batches/{batch_id}", { path: { batch_id: id }, signal }),
  });
}

export const NOT_MET: JobStatus[] = ["FAILED", "REJECTED", "RESUBMISSION_REQUIRED"];

/** Count the jobs of a batch that did not end well. */
export const countNotMet = ({ counts }: Operation) => NOT_MET.reduce((sum, status) => sum + (counts[status] ?? 0), 0);

/**
 * Query of the first jobs of a batch that did not end well, oldest first, so that a new one moves none. As long as fewer
 * are read than are counted, each that is counted more is read.
 */
export function failuresQuery(batch: Operation) {
  const { id } = batch;
  return queryOptions({
    queryKey: batchKeys.failures(id, Math.min(countNotMet(batch), FAILURES_SHOWN)),
    placeholderData: keepPreviousData,
    queryFn: ({ signal }): Promise<Page<Job>> => {
      const query = { batch_id: id, status: NOT_MET, sort: "updated_at", limit: FAILURES_SHOWN, fields: "summary" };
      return api.get("/api/jobs", { query, signal });
    },
  });
}
