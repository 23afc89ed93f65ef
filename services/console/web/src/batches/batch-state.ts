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

/** Operations that execute: batches. */
const BATCH_KINDS: readonly string[] = ["execute", "resubmit", "retry"];
const TITLES: Record<string, string> = { cancel: "Cancellation", assign: "Assignment", rejudge: "Judging again" };

/** Describe what is done to how many: "Batch of 12 jobs", "Cancellation of 1 job". */
export const describeOperation = ({ kind, total, shadow }: Operation) =>
  `${BATCH_KINDS.includes(kind) ? "Batch" : (TITLES[kind] ?? kind)} of ${pluralize(total, "job")}${shadow ? ", as a shadow" : ""}`;

/** Whether an operation executes its jobs, so that they meet their criteria or not. */
export const isExecuting = ({ kind }: Pick<Operation, "kind">) =>
  kind === "execute" || kind === "resubmit" || kind === "retry";

export const hasEnded = ({ state }: Operation) => state === "DONE" || state === "CANCELLED";

/** "120 of 400 at rest: 100 completed, 20 failed". */
export function describeProgress(operation: Operation): string {
  const parts = countParts(operation).map(({ number, word }) => `${formatCount(number)} ${word.toLowerCase()}`);
  return `${formatCount(countAtRest(operation))} of ${pluralize(operation.total, "job")} at rest: ${parts.join(", ") || "none"}`;
}

export type BatchAction = "pause" | "resume" | "cancel" | "retry";
export const BATCH_ACTIONS = ["pause", "resume", "cancel", "retry"] as const satisfies readonly BatchAction[];

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
      if (!BATCH_KINDS.includes(batch.kind)) return "It executed nothing that could be retried.";
      if (!hasEnded(batch)) return "It is still under way: what failed can be retried once it has ended.";
      return batch.counts.FAILED ? null : "None of its jobs failed.";
  }
}
