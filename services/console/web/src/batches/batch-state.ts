import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CircleSlash,
  LoaderCircle,
  type LucideIcon,
  OctagonAlert,
} from "lucide-react";
import type { Operation, OperationState } from "@/api/types";
import { STATUS_LOOKS } from "@/jobs/model/status";
import { formatCount, pluralize } from "@/lib/format";

type Look = { word: string; icon: LucideIcon; ink: string; tint: string };

/** How each state of a batch looks. */
export const STATE_LOOKS = {
  RUNNING: { word: "Running", icon: LoaderCircle, ink: "text-running", tint: "bg-running-tint" },
  PAUSED: { word: "Paused", icon: CirclePause, ink: "text-resubmit", tint: "bg-resubmit-tint" },
  CANCELLING: { word: "Cancelling", icon: CircleSlash, ink: "text-pending", tint: "bg-pending-tint" },
  CANCELLED: { word: "Cancelled", icon: CircleSlash, ink: "text-pending", tint: "bg-pending-tint" },
  DONE: { word: "Done", icon: CircleCheck, ink: "text-completed", tint: "bg-completed-tint" },
} as const satisfies Record<OperationState, Look>;

const lookOf = (state: string): Look =>
  STATE_LOOKS[state as OperationState] ?? { ...STATE_LOOKS.RUNNING, icon: CirclePause, word: state };

/** How a batch looks: one that has ended, by how its jobs did. */
export function describeState({ state, counts }: Operation): Look {
  if (state !== "DONE") return lookOf(state);
  const bad = sumOf(counts, ["FAILED", "REJECTED", "RESUBMISSION_REQUIRED", "REFUSED"]);
  const cancelled = sumOf(counts, ["CANCELLED"]);
  if (bad + cancelled === 0) return STATE_LOOKS.DONE;
  if (sumOf(counts, ["COMPLETED", "DONE"]) > 0) return { ...STATE_LOOKS.DONE, word: "Done, in part", ...IN_PART };
  if (bad === 0) return { ...STATE_LOOKS.CANCELLED, word: "Done, all cancelled" };
  return { word: "Done, none completed", icon: OctagonAlert, ink: "text-failed", tint: "bg-failed-tint" };
}

const IN_PART = { icon: CircleAlert, ink: "text-resubmit", tint: "bg-resubmit-tint" };
const sumOf = (counts: Operation["counts"], keys: readonly string[]) =>
  keys.reduce((sum, key) => sum + (counts[key] ?? 0), 0);

type Part = { key: string; word: string; icon: LucideIcon; ink: string; bar: string; isAtRest: boolean };

/** Parts that the jobs of a batch are counted by, in the order of the bar. */
const PARTS: Part[] = [
  toPart("COMPLETED", "bg-completed", true),
  toPart("REJECTED", "bg-rejected", true),
  toPart("RESUBMISSION_REQUIRED", "bg-resubmit", true),
  toPart("FAILED", "bg-failed", true),
  { key: "DONE", word: "Done", icon: CircleCheck, ink: "text-completed", bar: "bg-completed", isAtRest: true },
  toPart("CANCELLED", "bg-pending striped", true),
  { key: "REFUSED", word: "Refused", icon: Ban, ink: "text-failed", bar: "bg-failed striped", isAtRest: true },
  toPart("IN_PROGRESS", "bg-running", false),
  toPart("ASSIGNED", "bg-assigned", false),
  toPart("PENDING", "bg-pending", false),
  { key: "WAITING", word: "Not asked for yet", icon: CircleDashed, ink: "text-muted", bar: "", isAtRest: false },
];

function toPart(key: keyof typeof STATUS_LOOKS, bar: string, isAtRest: boolean): Part {
  const { word, icon, ink } = STATUS_LOOKS[key];
  return { key, word, icon, ink, bar, isAtRest };
}

export type Counted = Part & { number: number };

/** Count the jobs of a batch by part, without empty parts. A status that the page does not know counts as under way. */
export function countParts({ counts }: Operation): Counted[] {
  const known = PARTS.map((each) => ({ ...each, number: counts[each.key] ?? 0 }));
  const others = Object.keys(counts).filter((key) => !PARTS.some((each) => each.key === key));
  const unknown = others.map((key) => ({ ...toPart("PENDING", "bg-pending", false), key, word: key.toLowerCase() }));
  return [...known, ...unknown.map((each) => ({ ...each, number: counts[each.key] ?? 0 }))].filter((p) => p.number > 0);
}

export function countAtRest(operation: Operation): number {
  return countParts(operation).reduce((sum, { isAtRest, number }) => sum + (isAtRest ? number : 0), 0);
}

/** Verbs of operations that execute nothing: while they are under way, and once they have ended. */
const VERBS: Record<string, readonly [doing: string, done: string]> = {
  cancel: ["Cancelling", "Cancelled"],
  assign: ["Assigning", "Assigned"],
  rejudge: ["Judging again", "Judged again"],
  remove: ["Removing", "Removed"],
};

/** Describe what is done to how many: "Batch of 12 jobs", "Cancelling 102 jobs", "Cancelled 102 of 102 jobs". */
export function describeOperation(operation: Operation): string {
  const { kind, total, counts, shadow } = operation;
  if (isExecuting(operation)) return `Batch of ${pluralize(total, "job")}`;
  const [doing = kind, done = kind] = VERBS[kind] ?? [];
  const suffix = shadow ? ", as a shadow" : "";
  if (!hasEnded(operation)) return `${doing} ${pluralize(total, "job")}${suffix}`;
  return `${done} ${formatCount(counts.DONE ?? 0)} of ${pluralize(total, "job")}${suffix}`;
}

/** Whether an operation executes its jobs, so that they meet their criteria or not. */
export const isExecuting = ({ kind }: Pick<Operation, "kind">) =>
  kind === "execute" || kind === "resubmit" || kind === "retry";

export const hasEnded = ({ state }: Operation) => state === "DONE" || state === "CANCELLED";

/** "120 of 400 at rest: 100 completed, 20 failed". */
export function describeProgress(operation: Operation): string {
  const parts = countParts(operation).map(({ number, word }) => `${formatCount(number)} ${word.toLowerCase()}`);
  return `${formatCount(countAtRest(operation))} of ${pluralize(operation.total, "job")} at rest: ${parts.join(", ") || "none"}`;
}

export type BatchAction = "pause" | "resume" | "cancel" | "retry" | "again";
export const BATCH_ACTIONS = ["pause", "resume", "cancel", "retry", "again"] as const satisfies readonly BatchAction[];

/** The most jobs that an operation may name. */
const NAMED_MAX = 10_000;

/** Count the jobs that an operation cancelled, or that were cancelled with it. */
const countCancelled = ({ kind, counts }: Operation) =>
  (kind === "cancel" ? counts.DONE : isExecuting({ kind }) ? counts.CANCELLED : 0) ?? 0;

/** Pick the action that is likely next: the opposite of what was done, or what mends it; null where nothing is. */
export function findStep(batch: Operation): BatchAction | null {
  if (batch.state === "PAUSED") return "resume";
  const likely = ["cancel", "retry", "again"] as const;
  return likely.find((action) => explainRefusal(action, batch) === null) ?? null;
}

/** Name an action by what it does to how many. */
export function nameAction(action: BatchAction, batch: Operation): string {
  switch (action) {
    case "pause":
      return "Pause";
    case "resume":
      return "Resume";
    case "cancel":
      return "Cancel what is left";
    case "retry":
      return `Execute again what failed${batch.counts.FAILED ? ` (${formatCount(batch.counts.FAILED)})` : ""}`;
    case "again": {
      const number = countCancelled(batch);
      return number === 1 ? "Execute this one again" : `Execute these ${number ? formatCount(number) : ""} again`;
    }
  }
}

/** Explain why an action on a batch is refused now; null when it is allowed. */
export function explainRefusal(action: BatchAction, batch: Operation): string | null {
  const word = lookOf(batch.state).word.toLowerCase();
  switch (action) {
    case "pause":
      return batch.state === "RUNNING" ? null : `A batch that is ${word} cannot be paused.`;
    case "resume":
      return batch.state === "PAUSED" ? null : `A batch that is ${word} has nothing to resume.`;
    case "cancel":
      return batch.state === "RUNNING" || batch.state === "PAUSED"
        ? null
        : `A batch that is ${word} cannot be cancelled.`;
    case "retry":
      if (!isExecuting(batch)) return "It executed nothing.";
      if (!hasEnded(batch)) return "It is still under way: what failed can be executed again once it has ended.";
      return batch.counts.FAILED ? null : "None of its jobs failed.";
    case "again":
      return explainNotAgain(batch);
  }
}

function explainNotAgain(batch: Operation): string | null {
  if (!hasEnded(batch)) return "It is still under way: what was cancelled can be executed once it has ended.";
  const number = countCancelled(batch);
  if (number === 0) return "None of its jobs was cancelled.";
  return batch.kind === "cancel" || number <= NAMED_MAX
    ? null
    : `More than ${pluralize(NAMED_MAX, "job")} were cancelled: execute them from the list, in parts.`;
}
