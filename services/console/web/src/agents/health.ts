import {
  CircleCheck,
  CircleDashed,
  CirclePause,
  CircleSlash,
  HeartPulse,
  type LucideIcon,
  OctagonAlert,
} from "lucide-react";
import type { Agent, AgentStats } from "@/api/types";

type Health = { word: string; icon: LucideIcon; ink: string; tint: string; hint: string };

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
  unknown: {
    word: "Ready",
    icon: CircleDashed,
    ink: "text-pending",
    tint: "bg-pending-tint",
    hint: "It takes work. No execution of it ended in the last 24 hours: its success rate is not known.",
  },
} as const satisfies Record<string, Health>;

/** Pick the one state of an agent that matters most: disabled, paused, then its circuit. */
export function describeHealth(agent: Agent, stats?: AgentStats): Health {
  if (!agent.enabled) return HEALTHS.disabled;
  if (agent.paused) return HEALTHS.paused;
  return agent.circuit === "CLOSED" && stats && stats.success_rate == null
    ? HEALTHS.unknown
    : (HEALTHS[agent.circuit as keyof typeof HEALTHS] ?? { ...HEALTHS.unknown, word: agent.circuit, hint: "" });
}
