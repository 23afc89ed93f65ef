import { Link } from "@tanstack/react-router";
import { CirclePause, MoreHorizontal, Play } from "lucide-react";
import type { Agent, AgentStats, Limit } from "@/api/types";
import { formatCount, formatDuration, formatPercent } from "@/lib/format";
import { describeLimit } from "@/limits/describe-limit";
import { Button } from "@/ui/controls/button";
import { LabelledValue } from "@/ui/display/labelled-value";
import { Menu, MenuItem } from "@/ui/overlays/menu";
import { AgentHealth } from "./AgentHealth";
import type { AgentAction } from "./mutations";

type AgentRowProps = {
  agent: Agent;
  stats?: AgentStats;
  limit?: Limit;
  onAct: (action: AgentAction) => void;
  onEdit: () => void;
  onLimit: () => void;
};

const CELL = "sm:min-h-12 sm:px-2 sm:py-1.5 align-middle";

/** Row of the agents' table: health, load, success, limits and actions of one agent. */
export function AgentRow({ agent, stats, limit, onAct, onEdit, onLimit }: AgentRowProps) {
  return (
    <tr className="border-b hover:bg-sunken max-sm:flex max-sm:flex-wrap max-sm:items-center max-sm:gap-x-4 max-sm:gap-y-1 max-sm:py-2">
      <td className={`${CELL} max-sm:w-full`}>
        <Link to="/" search={{ agent: agent.id }} title="Its jobs" className="font-medium hover:underline">
          {agent.name}
        </Link>
        <div className="text-xs text-muted">
          {agent.name !== agent.id && <span className="font-mono">{agent.id} · </span>}
          {agent.protocol}
        </div>
      </td>
      <td className={CELL}>
        <AgentHealth agent={agent} stats={stats} />
      </td>
      <td className={`${CELL} whitespace-nowrap`}>
        <Load stats={stats} limit={limit} />
      </td>
      <td className={`${CELL} whitespace-nowrap`}>
        <LabelledValue name="Success">
          {stats?.success_rate == null ? "–" : formatPercent(stats.success_rate)}
        </LabelledValue>
      </td>
      <td className={`${CELL} whitespace-nowrap`}>
        <LabelledValue name="Mean">
          {stats?.mean_duration_s == null ? "–" : formatDuration(stats.mean_duration_s * 1_000)}
        </LabelledValue>
      </td>
      <td className={`${CELL} max-sm:w-full`}>
        <ul aria-label="Capabilities" className="flex max-w-80 flex-wrap gap-1">
          {agent.capabilities?.map((each) => (
            <li key={each} className="rounded bg-pending-tint px-1.5 text-xs text-pending">
              {each}
            </li>
          ))}
        </ul>
      </td>
      <td className={CELL}>
        <button type="button" onClick={onLimit} className="min-h-6 text-left hover:underline" title="Change its limits">
          <LabelledValue name="Limits">{limit ? describeLimit({ ...limit, paused: false }) : "none"}</LabelledValue>
          <span className="sr-only">: change the limits of {agent.name}</span>
        </button>
      </td>
      <td className={`${CELL} max-sm:ml-auto`}>
        <RowActions agent={agent} onAct={onAct} onEdit={onEdit} onLimit={onLimit} />
      </td>
    </tr>
  );
}

function RowActions({ agent, onAct, onEdit, onLimit }: Pick<AgentRowProps, "agent" | "onAct" | "onEdit" | "onLimit">) {
  const Icon = agent.paused ? Play : CirclePause;
  const verb = agent.paused ? "Resume" : "Pause";
  return (
    <div className="flex items-center justify-end gap-1">
      <Button
        size="small"
        className="w-20"
        aria-label={`${verb} ${agent.name}`}
        onClick={() => onAct(agent.paused ? "resume" : "pause")}
      >
        <Icon aria-hidden size={12} /> {verb}
      </Button>
      <Menu
        trigger={
          <Button size="icon" kind="quiet" aria-label={`More for ${agent.name}`}>
            <MoreHorizontal aria-hidden size={16} />
          </Button>
        }
      >
        <MenuItem onSelect={onEdit}>Edit</MenuItem>
        <MenuItem onSelect={onLimit}>Limits</MenuItem>
        <MenuItem onSelect={() => onAct(agent.enabled ? "disable" : "enable")}>
          {agent.enabled ? "Disable…" : "Enable"}
        </MenuItem>
      </Menu>
    </div>
  );
}

function Load({ stats, limit }: { stats?: AgentStats; limit?: Limit }) {
  const { running = 0, queued = 0 } = stats ?? {};
  if (!stats) return <LabelledValue name="Load">–</LabelledValue>;
  return (
    <LabelledValue name="Load">
      {formatCount(running)}
      {limit?.concurrency != null && ` of ${formatCount(limit.concurrency)}`} running
      <span className="text-muted"> · {formatCount(queued)} queued</span>
    </LabelledValue>
  );
}
