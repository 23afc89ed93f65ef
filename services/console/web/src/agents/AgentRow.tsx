import { Link } from "@tanstack/react-router";
import { CirclePause, MoreHorizontal, Play } from "lucide-react";
import { useRefusal } from "@/api/me";
import type { Agent, AgentStats, Limit } from "@/api/types";
import { formatCount, formatDuration, formatMoney, formatPercent, shortenId } from "@/lib/format";
import { describeLimit } from "@/limits/describe-limit";
import { Button } from "@/ui/controls/button";
import { CopyButton } from "@/ui/controls/copy-button";
import { LabelledValue } from "@/ui/display/labelled-value";
import { Menu, MenuItem } from "@/ui/overlays/menu";
import { AgentHealth } from "./AgentHealth";
import { describeCard } from "./card";
import type { AgentAction } from "./mutations";
import { describeProtocol } from "./protocols";

type AgentRowProps = {
  agent: Agent;
  stats?: AgentStats;
  limit?: Limit;
  onAct: (action: AgentAction) => void;
  onTry: () => void;
  onEdit: () => void;
  onLimit: () => void;
};

const CELL = "lg:h-12 lg:px-2 lg:py-1.5 align-middle";

/** Row of the agents' table: health, load, success, limits and actions of one agent. */
export function AgentRow({ agent, stats, limit, onAct, onTry, onEdit, onLimit }: AgentRowProps) {
  const note = describeCard(agent);
  return (
    <tr className="border-b hover:bg-sunken max-lg:flex max-lg:flex-wrap max-lg:items-center max-lg:gap-x-4 max-lg:gap-y-1 max-lg:py-2">
      <td className={`${CELL} max-lg:w-full`}>
        <Link
          to="/agents/$id"
          params={{ id: agent.id }}
          title="How it does"
          className="font-medium wrap-anywhere hover:underline"
        >
          <bdi>{agent.name}</bdi>
        </Link>
        <div className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-muted">
          {agent.name !== agent.id && (
            <span className="flex items-center font-mono" title={agent.id}>
              {shortenId(agent.id)}
              <CopyButton text={agent.id} label={`Copy the id of ${agent.name}`} className="size-6" />
            </span>
          )}
          <bdi className="wrap-anywhere">{describeProtocol(agent)}</bdi>
          {note && (
            <button type="button" onClick={onEdit} className="min-h-6 text-accent underline" title="Show its card">
              {note}
              <span className="sr-only"> of {agent.name}</span>
            </button>
          )}
          <ul aria-label="Capabilities" className="contents">
            {agent.capabilities?.map((each) => (
              <li key={each} className="rounded bg-pending-tint px-1.5 text-pending wrap-anywhere">
                {each}
              </li>
            ))}
          </ul>
        </div>
      </td>
      <td className={CELL}>
        <AgentHealth agent={agent} stats={stats} />
      </td>
      <td className={CELL}>
        <Load stats={stats} limit={limit} />
      </td>
      <td className={`${CELL} whitespace-nowrap lg:text-right`}>
        <LabelledValue name="Success">
          {stats?.success_rate == null ? "–" : formatPercent(stats.success_rate)}
        </LabelledValue>
      </td>
      <td className={`${CELL} whitespace-nowrap max-lg:w-full lg:text-right`}>
        <Times stats={stats} />
      </td>
      <td className={`${CELL} whitespace-nowrap lg:max-xl:hidden lg:text-right`}>
        <LabelledValue name="Cost a job">
          {Number(stats?.mean_cost_usd ?? 0) > 0 ? formatMoney(stats?.mean_cost_usd ?? 0) : "–"}
        </LabelledValue>
      </td>
      <td className={`${CELL} lg:pl-6`}>
        <button type="button" onClick={onLimit} className="min-h-6 text-left hover:underline" title="Change its limits">
          <LabelledValue name="Limits">{limit ? describeLimit({ ...limit, paused: null }) : "none"}</LabelledValue>
          <span className="sr-only">: change the limits of {agent.name}</span>
        </button>
      </td>
      <td className={`${CELL} max-lg:ml-auto`}>
        <RowActions agent={agent} onAct={onAct} onTry={onTry} onEdit={onEdit} onLimit={onLimit} />
      </td>
    </tr>
  );
}

function RowActions({ agent, onAct, onTry, onEdit, onLimit }: Omit<AgentRowProps, "stats" | "limit">) {
  const refuse = useRefusal();
  const Icon = agent.paused ? Play : CirclePause;
  const verb = agent.paused ? "Resume" : "Pause";
  return (
    <div className="flex items-center justify-end gap-1">
      <Button
        size="small"
        className="w-20"
        aria-label={`${verb} ${agent.name}`}
        reason={refuse(agent.paused ? "resume_agent" : "pause_agent")}
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
        <MenuItem onSelect={onTry}>Try</MenuItem>
        <MenuItem onSelect={onEdit} reason={refuse("patch_agent")}>
          Edit
        </MenuItem>
        <MenuItem onSelect={onLimit}>Limits</MenuItem>
        <MenuItem
          onSelect={() => onAct(agent.enabled ? "disable" : "enable")}
          reason={refuse(agent.enabled ? "disable_agent" : "patch_agent")}
        >
          {agent.enabled ? "Disable…" : "Enable"}
        </MenuItem>
      </Menu>
    </div>
  );
}

/** Mean times of the last day: of its calls and, apart, of the waits before and the judgings after them. */
function Times({ stats }: { stats?: AgentStats }) {
  const format = (seconds?: number | null) => (seconds == null ? null : formatDuration(seconds * 1_000));
  const [agent, wait, judge] = [stats?.mean_agent_s, stats?.mean_wait_s, stats?.mean_judge_s].map(format);
  return (
    // What is read later than the agents has its room from the first.
    <span title="Mean times of the last 24 hours" className="block lg:flex lg:min-h-13 lg:flex-col lg:justify-center">
      <LabelledValue name="Answers in">{agent ?? "–"}</LabelledValue>
      {wait && <span className="text-xs text-muted max-lg:ml-2 lg:block">waits {wait}</span>}
      {judge && <span className="text-xs text-muted max-lg:ml-2 lg:block">judged in {judge}</span>}
    </span>
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
