import { CircleCheck, CirclePause, CircleSlash, HeartPulse, type LucideIcon, OctagonAlert } from "lucide-react";
import type { Agent } from "@/api/types";

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
    hint: "It is given nothing until somebody resumes it; what it is doing goes on.",
  },
  open: {
    word: "Circuit open",
    icon: OctagonAlert,
    ink: "text-failed",
    tint: "bg-failed-tint",
    hint: "It failed too often: it is given nothing for a while.",
  },
  half_open: {
    word: "On trial",
    icon: HeartPulse,
    ink: "text-resubmit",
    tint: "bg-resubmit-tint",
    hint: "Its circuit is half open: one call tells whether it works again.",
  },
  closed: {
    word: "Healthy",
    icon: CircleCheck,
    ink: "text-completed",
    tint: "bg-completed-tint",
    hint: "Its circuit is closed: it is given work.",
  },
} as const satisfies Record<Agent["circuit"] | "disabled" | "paused", Health>;

/** What matters most about an agent: whether it is given work, and why not. */
export function healthOf(agent: Agent): Health {
  if (!agent.enabled) return HEALTHS.disabled;
  return agent.paused ? HEALTHS.paused : HEALTHS[agent.circuit];
}
