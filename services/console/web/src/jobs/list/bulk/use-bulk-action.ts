import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "@/api/client";
import { type ApiError, toApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { type Action, explainRefusal, liveExecution } from "@/jobs/model/status";
import { applyJob } from "@/live/apply-changes";

export type BulkAction = Exclude<Action, "assign">;
export type BulkProgress = {
  action: BulkAction;
  total: number;
  done: number;
  failures: { job: Job; error: ApiError }[];
  state: "running" | "done" | "aborted";
};

const AT_ONCE = 4;

const PATHS = {
  execute: "/api/jobs/{job_id}/execute",
  cancel: "/api/jobs/{job_id}/cancel",
  resubmit: "/api/jobs/{job_id}/resubmit",
} as const;

/** Explain why an action is refused for all jobs; null when it is allowed for some. */
export function explainRefusalOfAll(action: BulkAction, jobs: readonly Job[]): string | null {
  const reasons = new Set(jobs.map((job) => explainRefusal(action, job)));
  if (reasons.has(null)) return null;
  return reasons.size === 1 ? ([...reasons][0] ?? null) : "It cannot be done with any of the jobs as they stand.";
}

export const listAllowed = (action: BulkAction, jobs: readonly Job[]) =>
  jobs.filter((job) => explainRefusal(action, job) === null);

/**
 * Run an action on many jobs, AT_ONCE at a time; `abort` stops it before the next. Jobs that were refused or not
 * reached stay out of `onEnd`.
 */
export function useBulkAction(onEnd: (done: readonly Job[]) => void) {
  const client = useQueryClient();
  const [progress, setProgress] = useState<BulkProgress | null>(null);
  const isAborted = useRef(false);
  useEffect(
    () => () => {
      isAborted.current = true; // stop when the page is left
    },
    [],
  );

  const run = async (action: BulkAction, jobs: readonly Job[]) => {
    isAborted.current = false;
    let current: BulkProgress = { action, total: jobs.length, done: 0, failures: [], state: "running" };
    setProgress(current);
    const waiting = [...jobs];
    const next = () => (isAborted.current ? undefined : waiting.shift());
    const work = async () => {
      for (let job = next(); job; job = next()) {
        try {
          const body = action === "cancel" ? { execution_id: liveExecution(job) } : undefined;
          const options = { path: { job_id: job.id }, body, idempotencyKey: crypto.randomUUID() };
          applyJob(client, { ...(await api.post(PATHS[action], options)), live: action !== "cancel" });
        } catch (error) {
          current = { ...current, failures: [...current.failures, { job, error: toApiError(error) }] };
        }
        current = { ...current, done: current.done + 1 };
        setProgress(current);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    setProgress({ ...current, state: isAborted.current ? "aborted" : "done" });
    const left = new Set([...current.failures.map(({ job }) => job), ...waiting]);
    onEnd(jobs.filter((job) => !left.has(job)));
  };

  const abort = () => {
    isAborted.current = true;
  };
  return { progress, run, abort, dismiss: () => setProgress(null) };
}
