import { cn } from "@/lib/cn";
import { type Action, lookOf } from "./status";

const REQUESTED: Record<Action, string> = {
  execute: "execution requested",
  cancel: "cancellation requested",
  resubmit: "resubmission requested",
  assign: "assignment requested",
};

type JobStatusBadgeProps = {
  status: string;
  /** Action whose answer is awaited: shown over the status, since nothing is written before the answer. */
  pending?: Action | null;
  /** Whether an execution runs or is queued. */
  isLive?: boolean | null;
  /** Whether the last execution was cancelled, and nothing was asked for since: shown in place of where the job stands. */
  isCancelled?: boolean;
  className?: string;
};

/** Badge of a status: word, icon and colour. */
export function JobStatusBadge({ status, pending, isLive, isCancelled, className }: JobStatusBadgeProps) {
  const shown =
    pending === "execute" || pending === "resubmit" ? "IN_PROGRESS" : isCancelled && !isLive ? "CANCELLED" : status;
  const { word, icon: Icon, ink, tint, hint } = lookOf(shown);
  const isQueued = status === "ASSIGNED" && isLive && !pending;
  return (
    <span
      data-status={status}
      title={hint}
      className={cn(
        "inline-flex h-6 items-center gap-1 rounded px-1.5 text-xs font-medium whitespace-nowrap",
        ink,
        tint,
        className,
      )}
    >
      <Icon aria-hidden size={14} className={cn(shown === "IN_PROGRESS" && "motion-safe:animate-spin")} />
      {word}
      {isQueued && <span className="font-normal">· queued</span>}
      {pending && <span className="font-normal">· {REQUESTED[pending]}</span>}
    </span>
  );
}
