import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { ofTenant } from "@/api/tenants";
import type { InboxGroup, Job, Operation, OperationItem, Page, RejudgeReport } from "@/api/types";
import { hasEnded } from "./batch-state";

const PAGE_SIZE = 50;

/** Query keys of batches, and of what else is done to many jobs. One has a key apart, since it has events of its own. */
export const batchKeys = {
  list: ["batches", "list"] as const,
  items: (id: string, outcomes: readonly string[]) => ["batches", "items", id, outcomes] as const,
  groups: (id: string) => ["batches", "groups", id] as const,
  detail: (id: string) => ["batch", id] as const,
};

export const batchesQuery = (tenant: string | null) =>
  infiniteQueryOptions({
    queryKey: [...batchKeys.list, tenant],
    queryFn: ({ pageParam, signal }): Promise<Page<Operation>> =>
      api.get("/api/operations", {
        query: { page_size: PAGE_SIZE, page_token: pageParam, ...ofTenant(tenant) },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token ?? undefined,
  });

export function batchQuery(id: string) {
  return queryOptions({
    queryKey: batchKeys.detail(id),
    queryFn: ({ signal }): Promise<Operation> =>
      api.get("/api/operations/{operation_id}", { path: { operation_id: id }, signal }),
  });
}

/** Query of what judging jobs again came to, page by page of its flips; read anew while more is judged. */
export function reportQuery(batch: Operation) {
  return infiniteQueryOptions({
    queryKey: ["batches", "report", batch.id, hasEnded(batch) ? "ended" : JSON.stringify(batch.counts)],
    placeholderData: keepPreviousData,
    initialPageParam: "",
    queryFn: ({ pageParam, signal }): Promise<RejudgeReport> =>
      api.get("/api/operations/{operation_id}/rejudge-report", {
        path: { operation_id: batch.id },
        query: { page_size: PAGE_SIZE, page_token: pageParam },
        signal,
      }),
    getNextPageParam: (report) => report.next_page_token || undefined,
  });
}

export const NOT_MET = ["FAILED", "REJECTED", "RESUBMISSION_REQUIRED"] as const;
export const REFUSED = ["REFUSED"] as const;

/** How many items are shown at first. */
export const SHOWN_AT_FIRST = 20;

export type Outcomes = readonly string[];

/** Count the items of a batch by some outcomes. */
export const countItems = ({ counts }: Operation, outcomes: Outcomes) =>
  outcomes.reduce((sum, outcome) => sum + (counts[outcome] ?? 0), 0);

/**
 * Query of the first items of a batch with some outcomes. As long as fewer are read than are counted, each that is counted
 * more is read.
 */
export function itemsQuery(batch: Operation, outcomes: Outcomes, limit: number) {
  const { id } = batch;
  return queryOptions({
    queryKey: [...batchKeys.items(id, outcomes), limit, Math.min(countItems(batch, outcomes), limit)],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }): Promise<Page<OperationItem>> =>
      api.get("/api/operations/{operation_id}/items", {
        path: { operation_id: id },
        query: { outcome: outcomes, page_size: limit },
        signal,
      }),
  });
}

const GROUPS_EVERY_MS = 5_000;

/** Query of what of a batch failed or was not accepted, by what it needs; of a batch under way it is read again and again. */
export function groupsQuery(batch: Operation) {
  const { id } = batch;
  return queryOptions({
    queryKey: [...batchKeys.groups(id), hasEnded(batch)],
    placeholderData: keepPreviousData,
    refetchInterval: hasEnded(batch) ? false : GROUPS_EVERY_MS,
    queryFn: async ({ signal }): Promise<InboxGroup[]> =>
      (await api.get("/api/operations/{operation_id}/groups", { path: { operation_id: id }, signal })).groups,
  });
}

const REASONS_MAX = 100;

/** Query of the jobs of a batch that stand where they ended, for the reason: items tell that of a refusal alone. */
export function endedJobsQuery(batch: Operation, outcomes: Outcomes) {
  return queryOptions({
    queryKey: [...batchKeys.items(batch.id, outcomes), "jobs", Math.min(countItems(batch, outcomes), REASONS_MAX)],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }): Promise<Page<Job>> => {
      const query = { batch_id: batch.id, status: outcomes, page_size: REASONS_MAX };
      return api.get("/api/jobs", { query, signal });
    },
  });
}
