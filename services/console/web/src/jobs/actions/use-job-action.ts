import type { UseMutationResult } from "@tanstack/react-query";
import { useState } from "react";
import { toApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { type Action, refusal } from "@/jobs/model/status";
import type { Details } from "./JobActionDialog";
import { useAssignJob, useCancelJob, useExecuteJob, useResubmitJob } from "./mutations";

/** One action at a time: asked for, confirmed, sent, and closed when it was taken. */
export function useJobAction(job: Job) {
  const [asked, setAsked] = useState<Action | null>(null);
  const execute = useExecuteJob();
  const cancel = useCancelJob();
  const resubmit = useResubmitJob();
  const assign = useAssignJob();
  const mutations = { execute, cancel, resubmit, assign } as Record<Action, UseMutationResult<Job, Error, never>>;
  const current = asked && mutations[asked];

  const close = () => setAsked(null);
  const confirm = ({ reason, comment, agentId = "" }: Details) => {
    const { id } = job;
    if (asked === "execute") execute.mutate(id, { onSuccess: close });
    if (asked === "cancel") cancel.mutate({ id, reason: reason || undefined }, { onSuccess: close });
    if (asked === "resubmit") resubmit.mutate({ id, comment: comment || undefined }, { onSuccess: close });
    if (asked === "assign") assign.mutate({ id, agentId }, { onSuccess: close });
  };
  const ask = (action: Action) => {
    if (refusal(action, job) !== null) return;
    mutations[action].reset();
    setAsked(action);
  };
  return {
    asked,
    ask,
    close,
    confirm,
    isPending: current?.isPending ?? false,
    error: current?.error ? toApiError(current.error) : null,
  };
}
