import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api } from "@/api/client";
import { type ApiError, asApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { applyJob } from "@/live/apply";
import { type Action, refusal } from "../status";

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

export const allowed = (action: BulkAction, jobs: readonly Job[]) =>
  jobs.filter((job) => refusal(action, job) === null);

/** One action on many jobs, a few at once; it can be stopped between two, and tells which were refused. */
export function useBulk() {
  const client = useQueryClient();
  const [progress, setProgress] = useState<BulkProgress | null>(null);
  const isAborted = useRef(false);

  const run = async (action: BulkAction, jobs: readonly Job[]) => {
    isAborted.current = false;
    let now: BulkProgress = { action, total: jobs.length, done: 0, failures: [], state: "running" };
    setProgress(now);
    const waiting = [...jobs];
    const work = async () => {
      for (let job = waiting.shift(); job && !isAborted.current; job = waiting.shift()) {
        try {
          const options = { path: { job_id: job.id }, idempotencyKey: crypto.randomUUID() };
          applyJob(client, { ...(await api.post(PATHS[action], options)), live: action !== "cancel" });
        } catch (error) {
          now = { ...now, failures: [...now.failures, { job, error: asApiError(error) }] };
        }
        now = { ...now, done: now.done + 1 };
        setProgress(now);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    setProgress({ ...now, state: isAborted.current ? "aborted" : "done" });
  };

  const abort = () => {
    isAborted.current = true;
  };
  return { progress, run, abort, dismiss: () => setProgress(null) };
}
