import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import { useRefusal } from "@/api/me";
import type {
  Job,
  JobCounts,
  JobFilter,
  JobStatus,
  NewOperation,
  Operation,
  OperationKind,
  OperationPreview,
} from "@/api/types";
import { findCancelled, type JobsSearch, parseLabel, toJobsQuery, withoutSort } from "@/jobs/list/search/jobs-search";
import {
  ACTION_VERBS,
  ACTIONS,
  type Action,
  ALLOWED,
  explainRefusal,
  explainRemoveRefusal,
  JOB_STATUSES,
} from "@/jobs/model/status";
import { formatCount } from "@/lib/format";

/** What can be done to many jobs, in the order of the menu. */
const CHOICES = [...ACTIONS, "rejudge", "remove"] as const satisfies readonly OperationKind[];
/** What is likely to be done with jobs, if any of them allows it: what most of these do, else the last two in turn. */
const LIKELY = ["execute", "resubmit", "cancel"] as const satisfies readonly OperationKind[];

/** Executing what failed is a retry, which passes by what only its judge failed; the word is one. */
export const KIND_VERBS = {
  ...ACTION_VERBS,
  retry: ACTION_VERBS.execute,
  rejudge: "Judge again",
  remove: "Remove",
} as const satisfies Record<OperationKind, string>;

/** Statuses of jobs that each kind can be done to, so that nothing is refused needlessly. */
export const STATUSES: Record<OperationKind, readonly JobStatus[]> = {
  ...ALLOWED,
  execute: ["PENDING", ...ALLOWED.execute],
  retry: ["FAILED"],
  rejudge: ["COMPLETED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED"],
  remove: JOB_STATUSES.filter((status) => status !== "IN_PROGRESS"),
};

/** Returns what explains why one may not remove jobs: administrators alone may, as retentions are theirs to delete. */
export function useRemovalRefusal(): () => string | null {
  const refuse = useRefusal();
  return () => refuse("create_operation") ?? refuse("delete_retention");
}

/** Query of how many jobs an operation would be about, some of them, and what they may cost: read once, when it is asked. */
export function previewQuery(body: NewOperation) {
  return queryOptions({
    queryKey: ["operation-preview", body],
    staleTime: 0,
    gcTime: 0,
    retry: false,
    queryFn: ({ signal }): Promise<OperationPreview> => api.post("/api/operations/preview", { body, signal }),
  });
}

export function useCreateOperation() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["batches", "create"],
    mutationFn: (body: NewOperation): Promise<Operation> =>
      withIdempotencyKey(`operation/${JSON.stringify(body)}`, (idempotencyKey) =>
        api.post("/api/operations", { body, idempotencyKey }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["batches"] }),
  });
}

/** Of the statuses that were chosen, or of all, those that a kind can be done to. */
const findStatuses = (kind: OperationKind, { status, notStatus }: JobsSearch) =>
  STATUSES[kind].filter((each) => (status ? status.includes(each) : !notStatus?.includes(each)));

/** Convert the search to the filter of an operation, which names lists in the plural; a period becomes the time when it began. */
export function toFilter(kind: OperationKind, search: JobsSearch, now: number): JobFilter {
  const { label, ...query } = toJobsQuery({ ...withoutSort(search), status: undefined, notStatus: undefined }, now);
  const filter = Object.entries(query).map(([name, value]) => [Array.isArray(value) ? toPlural(name) : name, value]);
  return {
    ...Object.fromEntries(filter),
    statuses: findStatuses(kind, search),
    cancelled: findCancelled(search),
    ...(label && { labels: Object.fromEntries(label.map(parseLabel)) }),
  };
}

const toPlural = (name: string) => (/criterion/.test(name) ? name.replace("criterion", "criteria") : `${name}s`);

/** Explain why a kind cannot be done to anything that matches, as far as that is counted; null where it can. */
export function explainNone(kind: OperationKind, counts: JobCounts | undefined, search: JobsSearch): string | null {
  const statuses = findStatuses(kind, search);
  const isKnown = counts !== undefined && counts.searched == null;
  const hasSome = statuses.some((each) => !isKnown || (counts.counts[each] ?? 0) > 0);
  return hasSome ? null : NONE[kind];
}

const NONE: Record<OperationKind, string> = {
  execute: "None of the jobs that match can be executed as they stand.",
  cancel: "None of the jobs that match is queued or under way.",
  resubmit: "None of the jobs that match requires resubmission.",
  assign: "None of the jobs that match can be assigned as they stand.",
  retry: "None of the jobs that match failed.",
  rejudge: "None of the jobs that match has a result and rests.",
  remove: "None of the jobs that match rests.",
};

/** Describe how many jobs match, as far as they are counted: "412 match". */
export function describeMatching(counts: JobCounts | undefined, search: JobsSearch): string {
  if (!counts) return "All match";
  const byStatus = Object.entries(counts.counts)
    .filter(([status]) => !search.status || search.status.includes(status as JobStatus))
    .map(([, number]) => number);
  const numbers = search.cancelled ? [counts.cancelled] : byStatus;
  const sum = numbers.reduce((total, number) => total + number, 0);
  const isAtLeast = counts.searched != null || numbers.some((number) => number >= counts.capped_at);
  return `${isAtLeast ? "At least " : ""}${formatCount(sum)} match`;
}

/**
 * Return what can be done to jobs, or to all that match where a search is given, the likely first: a retry in place of
 * an execution, where only what failed allows it.
 */
export function orderKinds(jobs: readonly Job[], all?: JobsSearch): OperationKind[] {
  const countOf = (kind: OperationKind) => listAllowed(kind, jobs).length;
  const [most] = LIKELY.filter(countOf).toSorted((one, other) => countOf(other) - countOf(one));
  const likely = most ?? (countOf("assign") === 0 && countOf("rejudge") > 0 ? "rejudge" : "assign");
  const isRetry = all
    ? findStatuses("execute", all).every((status) => status === "FAILED")
    : countOf("execute") > 0 && countOf("retry") === countOf("execute");
  const ordered: OperationKind[] = [likely, ...CHOICES.filter((kind) => kind !== likely)];
  return ordered.map((kind) => (kind === "execute" && isRetry ? "retry" : kind));
}

/** Action of which an operation's kind asks the same of a job; a retry is an execution of what failed. */
const ASKED: Record<Exclude<OperationKind, "rejudge" | "remove">, Action> = {
  execute: "execute",
  cancel: "cancel",
  resubmit: "resubmit",
  assign: "assign",
  retry: "execute",
};

function explainRefusalOf(kind: OperationKind, job: Job): string | null {
  if (kind === "retry" && job.status !== "FAILED") return "Only a job that failed can be executed again so.";
  if (kind === "remove") return explainRemoveRefusal(job);
  if (kind !== "rejudge") return explainRefusal(ASKED[kind], job);
  return STATUSES.rejudge.some((status) => status === job.status)
    ? null
    : "Only a job that rests with a result can be judged again.";
}

export const listAllowed = (kind: OperationKind, jobs: readonly Job[]) =>
  jobs.filter((job) => explainRefusalOf(kind, job) === null);

/** Explain why a kind of operation can be done to none of the jobs; null when it can be to some. */
export function explainRefusalOfAll(kind: OperationKind, jobs: readonly Job[]): string | null {
  const reasons = new Set(jobs.map((job) => explainRefusalOf(kind, job)));
  if (reasons.has(null)) return null;
  return reasons.size === 1 ? ([...reasons][0] ?? null) : "It cannot be done with any of the jobs as they stand.";
}
