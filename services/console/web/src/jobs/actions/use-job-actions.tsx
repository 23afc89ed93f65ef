import type { UseMutationResult } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { toApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { ACTION_VERBS, ACTIONS, type Action, liveExecution } from "@/jobs/model/status";
import type { Choice } from "@/ui/display/ThingHead";
import { type ActionDetails, JobActionDialog } from "./JobActionDialog";
import {
  useActionRefusal,
  useAssignJob,
  useCancelJob,
  useExecuteJob,
  usePendingAction,
  useResubmitJob,
} from "./mutations";

type OpenedByKey = {
  /** Action whose dialog a shortcut opens, and what to call once it is open. */
  openByKey?: Action | null;
  onOpenedByKey?: () => void;
};

type JobActions = {
  /** The likely action, which is allowed; undefined where none is. */
  likely?: Choice & { isPending: boolean };
  /** All actions, each with why it is refused. */
  choices: Choice[];
  /** Dialog of the action that is asked for. */
  dialog: ReactNode;
};

/** Return the actions on a job: the likely one, all of them, and the dialog that confirms one. */
export function useJobActions(job: Job, { openByKey, onOpenedByKey }: OpenedByKey = {}): JobActions {
  const explainRefusal = useActionRefusal();
  const explain = (each: Action) => explainRefusal(each, job);
  const action = useJobAction(job, explain);
  const pending = usePendingAction(job.id);
  const { open } = action;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a key opens it once
  useEffect(() => {
    if (!openByKey) return;
    open(openByKey);
    onOpenedByKey?.();
  }, [openByKey]);
  const toChoice = (each: Action): Choice => ({
    words: ACTION_VERBS[each],
    onSelect: () => open(each),
    reason: pending ? "Another action is under way already." : explain(each),
  });
  const allowed = ACTIONS.filter((each) => explain(each) === null);
  const likely = allowed.find((each) => each !== "cancel") ?? allowed[0];
  return {
    likely: likely && { ...toChoice(likely), isPending: pending !== null },
    choices: ACTIONS.map(toChoice),
    dialog: action.opened && (
      <JobActionDialog
        key={action.opened}
        action={action.opened}
        job={job}
        open
        onOpenChange={(open) => !open && action.close()}
        onConfirm={action.confirm}
        isPending={action.isPending}
        error={action.error}
      />
    ),
  };
}

/**
 * State of a job's action dialog: one action at a time is opened, confirmed, sent, and closed when the server accepts
 * it.
 */
function useJobAction(job: Job, explain: (action: Action) => string | null) {
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
    if (explain(action) !== null) return;
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
