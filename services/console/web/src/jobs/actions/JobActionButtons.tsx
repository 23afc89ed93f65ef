import type { UseMutationResult } from "@tanstack/react-query";
import { Bot, CircleSlash, type LucideIcon, Play, RotateCcw } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { toApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { ACTION_VERBS, ACTIONS, type Action, liveExecution } from "@/jobs/model/status";
import { Button } from "@/ui/controls/button";
import { type ActionDetails, JobActionDialog } from "./JobActionDialog";
import {
  useActionRefusal,
  useAssignJob,
  useCancelJob,
  useExecuteJob,
  usePendingAction,
  useResubmitJob,
} from "./mutations";

const ICONS: Record<Action, LucideIcon> = { execute: Play, cancel: CircleSlash, resubmit: RotateCcw, assign: Bot };

type JobActionButtonsProps = {
  job: Job;
  /** Action whose dialog a shortcut opens, and what to call once it is open. */
  openByKey?: Action | null;
  onOpenedByKey?: () => void;
  /** Further buttons of the group. */
  children?: ReactNode;
};

/**
 * Buttons of the actions on a job. All stay in their places: a refused one says why, and nothing moves under the pointer
 * when the status changes.
 */
export function JobActionButtons({ job, openByKey, onOpenedByKey, children }: JobActionButtonsProps) {
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
  const primary = ACTIONS.find((each) => each !== "cancel" && explain(each) === null);
  return (
    <div className="flex flex-wrap gap-2" role="group" aria-label="Actions">
      {ACTIONS.map((each) => (
        <ActionButton
          key={each}
          icon={ICONS[each]}
          verb={ACTION_VERBS[each]}
          isPrimary={each === primary}
          isPending={pending === each}
          reason={pending ? "Another action is under way already." : explain(each)}
          onClick={() => open(each)}
        />
      ))}
      {children}
      {action.opened && (
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
      )}
    </div>
  );
}

type ActionButtonProps = {
  icon: LucideIcon;
  verb: string;
  isPrimary?: boolean;
  isPending?: boolean;
  /** Why the action is refused; null when it is allowed. */
  reason: string | null;
  onClick: () => void;
};

export function ActionButton({ icon: Icon, verb, isPrimary, isPending, reason, onClick }: ActionButtonProps) {
  return (
    <Button kind={isPrimary ? "primary" : "plain"} reason={reason} aria-busy={isPending || undefined} onClick={onClick}>
      <Icon aria-hidden size={14} />
      {verb}
    </Button>
  );
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
