import type { Agent, AgentStats } from "@/api/types";
import { cn } from "@/lib/cn";
import { Countdown } from "@/ui/display/duration";
import { describeAccepted, describeHealth } from "./health";

/** Health of an agent in words, with an icon and colour, while its circuit is open until when; unless brief, of what. */
export function AgentHealth({ agent, stats, isBrief }: { agent: Agent; stats?: AgentStats; isBrief?: boolean }) {
  const { word, icon: Icon, ink, tint, hint } = describeHealth(agent, stats);
  const isOpen = agent.circuit === "OPEN" && agent.enabled && agent.circuit_open_until;
  return (
    <span className="inline-flex flex-wrap items-center gap-x-2">
      <span
        title={hint}
        className={cn(
          "inline-flex h-6 items-center gap-1 rounded px-1.5 text-xs font-medium whitespace-nowrap",
          ink,
          tint,
        )}
      >
        <Icon aria-hidden size={14} />
        {word}
      </span>
      {!isBrief && stats && (word === "Not accepted" || word === "Failing") && (
        <span className="text-xs text-muted">{describeAccepted(stats)}</span>
      )}
      {word === "Ready" && stats && stats.success_rate == null && stats.running === 0 && (
        <span className="text-xs text-muted">no calls in 24 h</span>
      )}
      {agent.paused && agent.circuit !== "CLOSED" && (
        <span className="text-xs text-failed">circuit {agent.circuit}</span>
      )}
      {isOpen && (
        <span className="text-xs text-muted">
          tried again <Countdown to={isOpen} />
        </span>
      )}
    </span>
  );
}
