import { Bot, CircleSlash, type LucideIcon, Play, RotateCcw } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import type { Job } from "@/api/types";
import { ACTION_VERBS, ACTIONS, type Action, explainRefusal } from "@/jobs/model/status";
import { Button } from "@/ui/controls/button";
import { JobActionDialog } from "./JobActionDialog";
import { usePendingAction } from "./mutations";
import { useJobAction } from "./use-job-action";

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
  const action = useJobAction(job);
  const pending = usePendingAction(job.id);
  const { open } = action;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a key opens it once
  useEffect(() => {
    if (!openByKey) return;
    open(openByKey);
    onOpenedByKey?.();
  }, [openByKey]);
  const primary = ACTIONS.find((each) => each !== "cancel" && explainRefusal(each, job) === null);
  return (
    <div className="flex flex-wrap gap-2" role="group" aria-label="Actions">
      {ACTIONS.map((each) => (
        <ActionButton
          key={each}
          icon={ICONS[each]}
          verb={ACTION_VERBS[each]}
          isPrimary={each === primary}
          isPending={pending === each}
          reason={pending ? "Another action is under way already." : explainRefusal(each, job)}
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
