import { Ban, CircleCheck, CircleDashed, CirclePause, CircleSlash, LoaderCircle, type LucideIcon } from "lucide-react";
import type { Operation, OperationState } from "@/api/types";
import { LOOKS } from "@/jobs/model/status";
import { formatCount, pluralize } from "@/lib/format";

type Look = { word: string; icon: LucideIcon; ink: string; tint: string };

/** How each state of a batch looks. */
export const STATES = {
  RUNNING: { word: "Running", icon: LoaderCircle, ink: "text-running", tint: "bg-running-tint" },
  PAUSED: { word: "Paused", icon: CirclePause, ink: "text-resubmit", tint: "bg-resubmit-tint" },
  CANCELLING: { word: "Cancelling", icon: CircleSlash, ink: "text-pending", tint: "bg-pending-tint" },
  CANCELLED: { word: "Cancelled", icon: CircleSlash, ink: "text-pending", tint: "bg-pending-tint" },
  DONE: { word: "Done", icon: CircleCheck, ink: "text-completed", tint: "bg-completed-tint" },
} as const satisfies Record<OperationState, Look>;

type Part = { key: string; word: string; icon: LucideIcon; ink: string; bar: string; isAtRest: boolean };

/** What the jobs of a batch are counted by, in the order of the bar. */
const PARTS: Part[] = [
  part("COMPLETED", "bg-completed", true),
  part("REJECTED", "bg-rejected", true),
  part("RESUBMISSION_REQUIRED", "bg-resubmit", true),
  part("FAILED", "bg-failed", true),
  { key: "REFUSED", word: "Refused", icon: Ban, ink: "text-failed", bar: "bg-failed striped", isAtRest: true },
  part("IN_PROGRESS", "bg-running", false),
  part("ASSIGNED", "bg-assigned", false),
  part("PENDING", "bg-pending", false),
  { key: "WAITING", word: "Not asked for yet", icon: CircleDashed, ink: "text-muted", bar: "", isAtRest: false },
];

function part(key: keyof typeof LOOKS, bar: string, isAtRest: boolean): Part {
  const { word, icon, ink } = LOOKS[key];
  return { key, word, icon, ink, bar, isAtRest };
}

export type Counted = Part & { number: number };

/** The parts that are not empty; whatever the page does not know yet is under way. */
export function partsOf({ counts }: Operation): Counted[] {
  const known = PARTS.map((each) => ({ ...each, number: counts[each.key] ?? 0 }));
  const others = Object.keys(counts).filter((key) => !PARTS.some((each) => each.key === key));
  const unknown = others.map((key) => ({ ...part("PENDING", "bg-pending", false), key, word: key.toLowerCase() }));
  return [...known, ...unknown.map((each) => ({ ...each, number: counts[each.key] ?? 0 }))].filter((p) => p.number > 0);
}

export function atRest(operation: Operation): number {
  return partsOf(operation).reduce((sum, { isAtRest, number }) => sum + (isAtRest ? number : 0), 0);
}

export const isOver = ({ state }: Operation) => state === "DONE" || state === "CANCELLED";

/** "120 of 400 at rest: 100 completed, 20 failed". */
export function progressInWords(operation: Operation): string {
  const parts = partsOf(operation).map(({ number, word }) => `${formatCount(number)} ${word.toLowerCase()}`);
  return `${formatCount(atRest(operation))} of ${pluralize(operation.total, "job")} at rest: ${parts.join(", ") || "none"}`;
}

export type BatchAction = "pause" | "resume" | "cancel" | "retry";
export const BATCH_ACTIONS = ["pause", "resume", "cancel", "retry"] as const satisfies readonly BatchAction[];

/** Why a batch cannot be treated so now; null when it can. */
export function refusal(action: BatchAction, batch: Operation): string | null {
  const word = STATES[batch.state].word.toLowerCase();
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
      if (!isOver(batch)) return "It is still under way: what failed can be retried once it has ended.";
      return batch.counts.FAILED ? null : "None of its jobs failed.";
  }
}
