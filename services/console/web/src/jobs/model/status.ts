import {
  Bot,
  CircleCheck,
  CircleDashed,
  CircleSlash,
  LoaderCircle,
  type LucideIcon,
  OctagonAlert,
  RotateCcw,
  SearchX,
  ThumbsDown,
} from "lucide-react";
import type { Job, JobLogStatus, JobStatus } from "@/api/types";

export type Action = "execute" | "cancel" | "resubmit" | "assign";
type Look = { word: string; icon: LucideIcon; ink: string; tint: string; hint: string };

/** How each status looks: icon, word and colour together, never colour alone. */
export const STATUS_LOOKS = {
  PENDING: {
    word: "Pending",
    icon: CircleDashed,
    ink: "text-pending",
    tint: "bg-pending-tint",
    hint: "It waits for an agent.",
  },
  ASSIGNED: {
    word: "Assigned",
    icon: Bot,
    ink: "text-assigned",
    tint: "bg-assigned-tint",
    hint: "It has an agent and waits to be executed.",
  },
  IN_PROGRESS: {
    word: "In progress",
    icon: LoaderCircle,
    ink: "text-running",
    tint: "bg-running-tint",
    hint: "The agent works, or its result is being judged.",
  },
  COMPLETED: {
    word: "Completed",
    icon: CircleCheck,
    ink: "text-completed",
    tint: "bg-completed-tint",
    hint: "The result met every required criterion.",
  },
  FAILED: {
    word: "Failed",
    icon: OctagonAlert,
    ink: "text-failed",
    tint: "bg-failed-tint",
    hint: "A technical failure: nothing was judged. It can be executed again.",
  },
  REJECTED: {
    word: "Rejected",
    icon: ThumbsDown,
    ink: "text-rejected",
    tint: "bg-rejected-tint",
    hint: "Judged, and not met after the last submission. It can be assigned again.",
  },
  RESUBMISSION_REQUIRED: {
    word: "Resubmission required",
    icon: RotateCcw,
    ink: "text-resubmit",
    tint: "bg-resubmit-tint",
    hint: "Judged, and not met. It can be submitted again, with the verdict's feedback.",
  },
  CANCELLED: {
    word: "Cancelled",
    icon: CircleSlash,
    ink: "text-pending",
    tint: "bg-pending-tint",
    hint: "Its last execution was cancelled.",
  },
  MATCHING_FAILED: {
    word: "No agent matches",
    icon: SearchX,
    ink: "text-pending",
    tint: "bg-pending-tint",
    hint: "No agent has the capabilities that the job asks for.",
  },
} as const satisfies Record<JobLogStatus, Look>;

/** Return how a status looks; one that the page does not know yet is shown as the word that it is. */
export const lookOf = (status: string): Look =>
  STATUS_LOOKS[status as JobLogStatus] ?? { ...STATUS_LOOKS.PENDING, word: status, hint: "" };

export const JOB_STATUSES = [
  "PENDING",
  "ASSIGNED",
  "IN_PROGRESS",
  "COMPLETED",
  "FAILED",
  "REJECTED",
  "RESUBMISSION_REQUIRED",
] as const satisfies readonly JobStatus[];

export const ACTION_VERBS = {
  execute: "Execute",
  cancel: "Cancel",
  resubmit: "Resubmit",
  assign: "Assign",
} as const satisfies Record<Action, string>;

export const ACTIONS = ["execute", "cancel", "resubmit", "assign"] as const satisfies readonly Action[];

/** Statuses of jobs that each action can be done to. */
export const ALLOWED: Record<Action, readonly JobStatus[]> = {
  execute: ["ASSIGNED", "FAILED"],
  cancel: ["PENDING", "ASSIGNED", "IN_PROGRESS"],
  resubmit: ["RESUBMISSION_REQUIRED"],
  assign: ["PENDING", "ASSIGNED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED"],
};

const NOTHING_LIVE = "There is no execution that could be cancelled.";

/** Explain why an action on a job is refused now; null when it is allowed. The jobstore has the last word. */
export function explainRefusal(action: Action, job: Pick<Job, "status" | "live" | "capabilities">): string | null {
  // A job that asks for capabilities gets an agent when it is executed.
  const isMatched = action === "execute" && job.status === "PENDING" && (job.capabilities ?? []).length > 0;
  if (!isMatched && !ALLOWED[action].some((status) => status === job.status))
    return REASONS[action](lookOf(job.status).word.toLowerCase());
  if (action !== "cancel" && job.live) return "An execution has been requested already.";
  return action === "cancel" && job.status !== "IN_PROGRESS" && job.live === false ? NOTHING_LIVE : null;
}

/**
 * Return the execution that a cancel of this job means: the one that is live as the page knows it, so that a cancel that
 * is repeated, or comes late, never meets the next. Undefined where none is live.
 */
export const liveExecution = ({ live, execution_id: executionId }: Pick<Job, "live" | "execution_id">) =>
  live ? (executionId ?? undefined) : undefined;

/** Explain why a job cannot be edited now; null when it can. */
export function explainEditRefusal({ status, live }: Pick<Job, "status" | "live">): string | null {
  if (status === "COMPLETED") return "A job that is completed cannot be edited; it can be duplicated.";
  return status === "IN_PROGRESS" || live ? "It is being executed; it can be edited afterwards." : null;
}

/** Explain why a job cannot be removed now; null when it can, as far as the page knows. */
export const explainRemoveRefusal = ({ status, live }: Pick<Job, "status" | "live">) =>
  status === "IN_PROGRESS" || live ? "It is being executed; it can be removed once that has ended." : null;

const REASONS: Record<Action, (word: string) => string> = {
  execute: (word) =>
    word === "pending" ? "It needs an agent first: assign one." : `A job that is ${word} cannot be executed.`,
  cancel: (word) => `A job that is ${word} has nothing to cancel.`,
  resubmit: (word) => `Only a job that requires resubmission can be resubmitted; this one is ${word}.`,
  assign: (word) => `A job that is ${word} cannot be assigned.`,
};
