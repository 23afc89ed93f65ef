import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import type { Batch, JobCounts, JobFilter, JobStatus } from "@/api/types";
import { findCreatedAfter, type JobsSearch, parseLabel } from "@/jobs/list/filters/jobs-search";
import { formatCount, pluralize } from "@/lib/format";

/** Jobs of a new batch: those named, or all that match when it begins. */
export type BatchJobs = { job_ids: string[] } | { filter: JobFilter };

export function useCreateBatch() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["batches", "create"],
    mutationFn: (body: BatchJobs): Promise<Batch> =>
      withIdempotencyKey(`batch/${JSON.stringify(body)}`, (idempotencyKey) =>
        api.post("/api/batches", { body, idempotencyKey }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["batches"] }),
  });
}

/**
 * Statuses of jobs that can be executed: the filter of a batch when none was chosen, so that nothing is refused
 * needlessly.
 */
export const EXECUTABLE: JobStatus[] = ["PENDING", "ASSIGNED", "FAILED"];

/** Convert the search to a batch's filter; a period becomes the time when it began. */
export function toBatchFilter(search: JobsSearch, now: number): JobFilter {
  const labels = search.label?.map(parseLabel);
  return {
    statuses: search.status ?? EXECUTABLE,
    ...(search.agent && { agent_id: search.agent }),
    ...(search.tenant && { tenant: search.tenant }),
    ...(search.batch && { batch_id: search.batch }),
    ...(labels && { labels: Object.fromEntries(labels) }),
    ...((search.period || search.from) && { created_after: findCreatedAfter(search, now) }),
    ...(search.to && { created_before: new Date(search.to).toISOString() }),
    ...(search.text && { text: search.text }),
  };
}

const countMatching = (counts: JobCounts, { status = EXECUTABLE }: JobsSearch) =>
  status.map((each) => counts.counts[each] ?? 0);

/** Whether a job that matches can be executed, as far as they are counted. */
export function hasExecutable(counts: JobCounts | undefined, { status = EXECUTABLE }: JobsSearch): boolean {
  if (!counts || counts.searched != null) return true;
  return status.some((each) => EXECUTABLE.includes(each) && (counts.counts[each] ?? 0) > 0);
}

/** Describe how many jobs match, as far as they are counted: "412 jobs". */
export function describeMatching(counts: JobCounts | undefined, search: JobsSearch): string {
  if (!counts) return "all jobs";
  const numbers = countMatching(counts, search);
  const sum = numbers.reduce((total, number) => total + number, 0);
  const isAtLeast = counts.searched != null || numbers.some((number) => number >= counts.capped_at);
  if (isAtLeast) return `all of at least ${formatCount(sum)} jobs`;
  return sum === 0 ? "the jobs" : sum === 1 ? "the 1 job" : `all ${pluralize(sum, "job")}`;
}
