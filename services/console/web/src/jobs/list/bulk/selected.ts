import type { Job, OperationKind } from "@/api/types";
import { type Action, explainRefusal } from "@/jobs/model/status";
import { STATUSES } from "./operation";

/** Action of which an operation's kind asks the same of a job; a retry is an execution of what failed. */
const ACTIONS: Record<Exclude<OperationKind, "rejudge">, Action> = {
  execute: "execute",
  cancel: "cancel",
  resubmit: "resubmit",
  assign: "assign",
  retry: "execute",
};

function explainRefusalOf(kind: OperationKind, job: Job): string | null {
  if (kind === "retry" && job.status !== "FAILED") return "Only a job that failed can be retried.";
  if (kind !== "rejudge") return explainRefusal(ACTIONS[kind], job);
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
