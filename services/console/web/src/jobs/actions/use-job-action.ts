import type { UseMutationResult } from "@tanstack/react-query";
import { useState } from "react";
import { toApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { type Action, explainRefusal, liveExecution } from "@/jobs/model/status";
import type { ActionDetails } from "./JobActionDialog";
import { useAssignJob, useCancelJob, useExecuteJob, useResubmitJob } from "./mutations";

/**
 * State of a job's action dialog: one action at a time is opened, confirmed, sent, and closed when the server accepts
 * it.
 */
export function useJobAction(job: Job) {
  const [opened, setOpened] = useState<Action | null>(null);
  const execute = useExecuteJob();
  const cancel = useCancelJob();
  const resubmit = useResubmitJob();
  const assign = useAssignJob();
  const mutations = { execute, cancel, resubmit, assign } as Record<Action, UseMutationResult<Job, Error, never>>;
  const current = opened && mutations[opened];

  const close = () => setOpened(null);
  const confirm = ({ reason, comment, agentId = "" }: ActionDetails) => {
    const { id } = job;
    if (opened === "execute") execute.mutate(id, { onSuccess: close });
    if (opened === "cancel") {
      cancel.mutate({ id, reason: reason || undefined, executionId: liveExecution(job) }, { onSuccess: close });
    }
    if (opened === "resubmit") resubmit.mutate({ id, comment: comment || undefined }, { onSuccess: close });
    if (opened === "assign") assign.mutate({ id, agentId }, { onSuccess: close });
  };
  const open = (action: Action) => {
    if (explainRefusal(action, job) !== null) return;
    mutations[action].reset();
    setOpened(action);
  };
  return {
    opened,
    open,
    close,
    confirm,
    isPending: current?.isPending ?? false,
    error: current?.error ? toApiError(current.error) : null,
  };
}
