import {
  CircleCheck,
  CircleDashed,
  CirclePause,
  CircleSlash,
  HeartPulse,
  type LucideIcon,
  OctagonAlert,
  ThumbsDown,
} from "lucide-react";
import type { Agent, AgentStats } from "@/api/types";
import { formatCount } from "@/lib/format";
import { isolateText } from "@/lib/isolate-text";

export type Health = { word: string; icon: LucideIcon; ink: string; tint: string; hint: string };

const HEALTHS = {
  disabled: {
    word: "Disabled",
    icon: CircleSlash,
    ink: "text-pending",
    tint: "bg-pending-tint",
    hint: "It gets no more work, and no job can be assigned to it.",
  },
  paused: {
    word: "Paused",
    icon: CirclePause,
    ink: "text-resubmit",
    tint: "bg-resubmit-tint",
    hint: "It gets no new work until it is resumed; what it has begun goes on.",
  },
  OPEN: {
    word: "Circuit open",
    icon: OctagonAlert,
    ink: "text-failed",
    tint: "bg-failed-tint",
    hint: "It failed too often: it gets no work for a while.",
  },
  HALF_OPEN: {
    word: "Trying again",
    icon: HeartPulse,
    ink: "text-resubmit",
    tint: "bg-resubmit-tint",
    hint: "Its circuit is half open: one call tells whether it works again.",
  },
  CLOSED: {
    word: "Ready",
    icon: CircleCheck,
    ink: "text-completed",
    tint: "bg-completed-tint",
    hint: "Its circuit is closed: it takes work.",
  },
  refused: {
    word: "Not accepted",
    icon: ThumbsDown,
    ink: "text-rejected",
    tint: "bg-rejected-tint",
    hint: "It takes work, but most of its results are not accepted.",
  },
  failing: {
    word: "Failing",
    icon: OctagonAlert,
    ink: "text-failed",
    tint: "bg-failed-tint",
    hint: "It takes work, but most of its executions fail.",
  },
  unknown: {
    word: "Ready",
    icon: CircleDashed,
    ink: "text-pending",
    tint: "bg-pending-tint",
    hint: "It takes work. No execution of it ended in the last 24 hours: its success rate is not known.",
  },
} as const satisfies Record<string, Health>;

/** An agent of which fewer of its executions were accepted is not well, once so many have ended. */
const WELL = { rate: 0.5, ended: 3 };

/** Pick the one state of an agent that matters most: disabled, paused, its circuit, then what came of its work. */
export function describeHealth(agent: Agent, stats?: AgentStats): Health {
  if (!agent.enabled) return HEALTHS.disabled;
  if (agent.paused) return HEALTHS.paused;
  if (agent.circuit === "CLOSED" && stats && isUnwell(stats)) {
    return countFailed(stats) > stats.refused ? HEALTHS.failing : HEALTHS.refused;
  }
  return agent.circuit === "CLOSED" && stats && stats.success_rate == null
    ? HEALTHS.unknown
    : (HEALTHS[agent.circuit as keyof typeof HEALTHS] ?? { ...HEALTHS.unknown, word: agent.circuit, hint: "" });
}

const isUnwell = ({ ended, completed }: AgentStats) => ended >= WELL.ended && completed < ended * WELL.rate;

/** Count the executions of an agent that ended FAILED. */
export const countFailed = ({ ended, completed, refused }: AgentStats) => ended - completed - refused;

/** Describe what came of an agent's work in the last day: "0 of 534 accepted"; nothing where nothing ended. */
export const describeAccepted = ({ ended, completed }: AgentStats): string | null =>
  ended > 0 ? `${formatCount(completed)} of ${formatCount(ended)} accepted` : null;

/** Say why an agent is not well, and since when or of what; nothing if it is. */
export function explainHealth(agent: Agent, stats?: AgentStats | null): string | null {
  if (!agent.enabled || agent.paused || agent.circuit !== "CLOSED") return describeHealth(agent).hint;
  if (!stats || !isUnwell(stats)) return null;
  const [most] = sortCounts(countFailed(stats) > stats.refused ? stats.failures : stats.refusals);
  return [
    `${describeAccepted(stats)} in the last 24 hours`,
    `${formatCount(stats.refused)} not accepted, ${formatCount(countFailed(stats))} failed`,
    most && `most often: ${isolateText(most[0])} (${formatCount(most[1])})`,
  ]
    .filter(Boolean)
    .join("; ");
}

/** Sort counts by name, the most first. */
export const sortCounts = (counts: Record<string, number> = {}) =>
  Object.entries(counts).toSorted(([, one], [, other]) => other - one);
