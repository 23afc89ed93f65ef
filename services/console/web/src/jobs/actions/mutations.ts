import { type UseMutationResult, useMutation, useMutationState, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import { type Change, useRefusal } from "@/api/me";
import { toApiError } from "@/api/problem";
import { jobKeys } from "@/api/query-keys";
import type { Job } from "@/api/types";
import { type Action, explainRefusal } from "@/jobs/model/status";
import { applyJob } from "@/live/apply-changes";

const OPERATIONS = {
  execute: "execute_job",
  cancel: "cancel_job",
  resubmit: "resubmit_job",
  assign: "assign_job",
} as const satisfies Record<Action, Change>;

/** Returns what explains why an action on a job is refused, by one's role or as the job stands; null when it is allowed. */
export function useActionRefusal() {
  const refuse = useRefusal();
  return (action: Action, job: Job) => refuse(OPERATIONS[action]) ?? explainRefusal(action, job);
}

export type AssignVariables = { id: string; agentId: string };
export type CancelVariables = { id: string; reason?: string; executionId?: string };
export type ResubmitVariables = { id: string; comment?: string };

type Variables = string | { id: string };

const jobIdOf = (variables: Variables) => (typeof variables === "string" ? variables : variables.id);

/**
 * Send an action on a job. Nothing is written before the answer: a pending action is an overlay (usePendingAction), so
 * that a failure has nothing to undo, and an event that arrives meanwhile is not overwritten.
 */
function useJobMutation<V extends Variables>(
  action: Action,
  send: (variables: V) => Promise<Job>,
): UseMutationResult<Job, Error, V> {
  const client = useQueryClient();
  return useMutation<Job, Error, V>({
    mutationKey: ["jobs", action],
    mutationFn: send,
    onSuccess: (job) => applyJob(client, { ...job, live: isLiveAfter(action, job) }),
    onError: (error, variables) => {
      if (toApiError(error).status !== 409) return;
      void client.invalidateQueries({ queryKey: jobKeys.detail(jobIdOf(variables)) }); // the job has changed meanwhile
    },
  });
}

const isLiveAfter = (action: Action, job: Job) =>
  job.status === "IN_PROGRESS" || (job.status === "ASSIGNED" && (action === "execute" || action === "resubmit"));

/** Return the job as it stands once an execution of it was requested. */
async function readAfter(id: string, request: Promise<unknown>): Promise<Job> {
  await request;
  return api.get("/api/jobs/{job_id}", { path: { job_id: id } });
}

export function useExecuteJob(): UseMutationResult<Job, Error, string> {
  return useJobMutation("execute", (id: string) =>
    readAfter(
      id,
      withIdempotencyKey(`execute/${id}`, (idempotencyKey) =>
        api.post("/api/jobs/{job_id}/execute", { path: { job_id: id }, idempotencyKey }),
      ),
    ),
  );
}

export function useResubmitJob(): UseMutationResult<Job, Error, ResubmitVariables> {
  return useJobMutation("resubmit", ({ id, comment }: ResubmitVariables) =>
    readAfter(
      id,
      withIdempotencyKey(`resubmit/${id}/${comment ?? ""}`, (idempotencyKey) =>
        api.post("/api/jobs/{job_id}/resubmit", { path: { job_id: id }, body: { comment }, idempotencyKey }),
      ),
    ),
  );
}

export function useCancelJob(): UseMutationResult<Job, Error, CancelVariables> {
  return useJobMutation("cancel", ({ id, reason, executionId }: CancelVariables) =>
    api.post("/api/jobs/{job_id}/cancel", { path: { job_id: id }, body: { reason, execution_id: executionId } }),
  );
}

export function useAssignJob(): UseMutationResult<Job, Error, AssignVariables> {
  return useJobMutation("assign", ({ id, agentId }: AssignVariables) =>
    api.post("/api/jobs/{job_id}/assign", { path: { job_id: id }, body: { agent_id: agentId } }),
  );
}

/** Return the action on a job whose request is under way. */
export function usePendingAction(id: string): Action | null {
  const pending = useMutationState({
    filters: { mutationKey: ["jobs"], status: "pending" },
    select: ({ state, options }) => ({
      action: options.mutationKey?.[1] as Action,
      variables: state.variables as Variables | undefined,
    }),
  });
  const mine = pending.find(({ variables }) => variables !== undefined && jobIdOf(variables) === id);
  return mine?.action ?? null;
}
