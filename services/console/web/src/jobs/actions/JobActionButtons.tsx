import { Bot, CircleSlash, type LucideIcon, Play, RotateCcw } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import type { Job } from "@/api/types";
import { ACTIONS, type Action, refusal, VERBS } from "@/jobs/model/status";
import { Button } from "@/ui/controls/button";
import { JobActionDialog } from "./JobActionDialog";
import { usePendingAction } from "./mutations";
import { useJobAction } from "./use-job-action";

const ICONS: Record<Action, LucideIcon> = { execute: Play, cancel: CircleSlash, resubmit: RotateCcw, assign: Bot };

type JobActionButtonsProps = {
  job: Job;
  /** Which one to open by key, and what to do when that was heard. */
  asked?: Action | null;
  onHeard?: () => void;
  /** What else stands among them. */
  children?: ReactNode;
};

/**
 * What can be done with a job. All stay in their places: those that cannot be done now say why, and nothing moves under
 * the pointer when the status changes.
 */
export function JobActionButtons({ job, asked, onHeard, children }: JobActionButtonsProps) {
  const action = useJobAction(job);
  const pending = usePendingAction(job.id);
  const { ask } = action;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a key is heard once
  useEffect(() => {
    if (!asked) return;
    ask(asked);
    onHeard?.();
  }, [asked]);
  const primary = ACTIONS.find((each) => each !== "cancel" && refusal(each, job) === null);
  return (
    <div className="flex flex-wrap gap-2" role="group" aria-label="Actions">
      {ACTIONS.map((each) => (
        <ActionButton
          key={each}
          icon={ICONS[each]}
          verb={VERBS[each]}
          isPrimary={each === primary}
          isPending={pending === each}
          reason={pending ? "Something is being asked for already." : refusal(each, job)}
          onClick={() => ask(each)}
        />
      ))}
      {children}
      {action.asked && (
        <JobActionDialog
          key={action.asked}
          action={action.asked}
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
  /** Why it cannot be done. */
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
