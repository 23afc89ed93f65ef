import { CircleDollarSign, CirclePause, type LucideIcon, OctagonAlert, SearchX, ThumbsDown } from "lucide-react";
import type { InboxGroup } from "@/api/types";
import { describeCause } from "@/jobs/model/waiting";
import { formatCount } from "@/lib/format";

type Look = { icon: LucideIcon; ink: string };

const ALERT: Look = { icon: OctagonAlert, ink: "text-failed" };
const LOOKS: Record<string, Look> = {
  paused: { icon: CirclePause, ink: "text-resubmit" },
  no_agent_matches: { icon: SearchX, ink: "text-resubmit" },
  not_accepted: { icon: ThumbsDown, ink: "text-rejected" },
  budget: { icon: CircleDollarSign, ink: "text-resubmit" },
};

/** Return the icon of a group's kind, and its ink. */
export const lookOfGroup = ({ kind }: InboxGroup): Look => LOOKS[kind] ?? ALERT;

/** Format how many are in a group: "38", or "10,000+" where only the newest were counted. */
export const formatGroupCount = ({ count, has_more: hasMore }: InboxGroup) =>
  `${formatCount(count)}${hasMore ? "+" : ""}`;

/** Describe in a line what a group's jobs have in common: "38 failed with Writer: agent timeout". */
export function describeGroup(group: InboxGroup, nameOf: (id: string) => string): string {
  const number = formatGroupCount(group);
  const agent = group.agent_id ? ` with ${nameOf(group.agent_id)}` : "";
  if (group.kind === "dead_letters") return `${number} dead letter${group.count === 1 ? "" : "s"} in ${group.name}`;
  if (group.criterion) return `${number} not accepted: ${group.criterion}`;
  if (group.kind === "not_accepted") return `${number} not accepted`;
  if (hasFailed(group)) return `${number} failed${agent}${group.code ? `: ${group.code.replaceAll("_", " ")}` : ""}`;
  return `${number} wait${group.count === 1 ? "s" : ""}: ${describeCause(group, nameOf)}`;
}

/** Whether a group is of jobs that failed; those of the other kinds, and those held back by a limit, wait. */
const hasFailed = ({ kind, code }: InboxGroup) => kind === "failed" || (kind === "budget" && !code.startsWith("limit"));

/** Find the agent that a group is about. */
export function findAgent({ agent_id: agent, code, name }: InboxGroup): string | undefined {
  if (agent || code.startsWith("circuit_") || code === "agent_disabled") return agent || name;
  return /^agent:(.*[^*].*)$/.exec(name)?.[1];
}

/** Cut the command off a sentence: the page has a button for it. */
export const withoutCommand = (remedy: string) => remedy.replace(/: signoff .*$/, "");

/** Page that has what a group needs, where no button does it. */
export const PAGES: Record<
  string,
  { to: "/system/limits" | "/system" | "/quality/judges" | "/agents" | "/system/dead-letters"; words: string }
> = {
  limits_lost: { to: "/system/limits", words: "Open limits" },
  no_worker: { to: "/system", words: "Open system" },
  judge_away: { to: "/quality/judges", words: "Open judges" },
  no_agent_matches: { to: "/agents", words: "Open agents" },
  dead_letters: { to: "/system/dead-letters", words: "Open dead letters" },
};
