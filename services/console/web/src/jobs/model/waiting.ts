import type { Job, Waiting, WaitingSum, WaitReason } from "@/api/types";
import { formatCount, shortenId } from "@/lib/format";

type NameOf = (id: string) => string;
/** What is the same of a reason and of a sum. */
type Cause = Pick<WaitReason, "code" | "name"> &
  Partial<Pick<WaitReason, "used" | "allowed" | "allowed_usd" | "agents_usd" | "judges_usd">>;

type Reason = [words: (cause: Cause, about: string) => string, ink?: string];

/** Words of each code, in numbers where it has some; and the ink of what was waited for, striped where a colour has two. */
const REASONS: Record<string, Reason> = {
  not_before: [() => "waits for its time", "bg-assigned"],
  retry_backoff: [() => "waits for its next call"],
  limits_lost: [() => "what administrators set was lost, and is to be confirmed", "bg-accent"],
  limit_paused: [(_, about) => `${namePaused(about)} is paused`, "bg-accent striped"],
  limit_concurrency: [(cause, about) => `limit ${about} is reached${formatUse(cause, "running")}`, "bg-completed"],
  limit_rate: [
    (cause, about) => `rate limit of ${about} is reached${formatUse(cause, "started")}`,
    "bg-completed striped",
  ],
  limit_usd_per_day: [
    (cause, about) => `${about} has spent what it may today${formatSpent(cause)}`,
    "bg-assigned striped",
  ],
  circuit_open: [
    ({ used }, about) => `circuit of ${about} is open${used ? ` after ${formatCount(used)} failures` : ""}`,
    "bg-failed",
  ],
  circuit_probing: [(_, about) => `one call finds out whether ${about} answers`, "bg-failed striped"],
  protocol_not_called: [(_, about) => `no executor calls agents by ${about}`, "bg-text striped"],
  no_worker: [() => "no executor is running", "bg-text"],
  no_room: [(cause) => `executors are full${formatUse(cause, "taken")}`, "bg-text striped"],
  share: [(cause, about) => `${about} has its share of the executors${formatUse(cause, "taken")}`, "bg-accent"],
  queue: [() => "waits for its turn"],
  offered: [(_, about) => `offered to ${about === "validator" ? "validators" : "executors"}`],
  judge_missing: [() => "no validator is running", "bg-text"],
  judge_away: [() => "the judge does not answer", "bg-failed"],
  judge_no_room: [(cause) => `validators are full${formatUse(cause, "taken")}`, "bg-text striped"],
  no_agent_matches: [(_, about) => `no agent has ${about}`],
  agent_disabled: [(_, about) => `${about} is disabled`],
  agent_missing: [() => "no agent is assigned"],
};

const OWNERS: Record<string, string> = {
  operator: "An operator can lift it",
  caller: "Whoever asked for it can lift it",
  agent: "The agent has to answer again",
  time: "It passes by itself",
  signoff: "Nothing holds it back",
};

const formatUse = ({ used, allowed }: Cause, word: string) =>
  used == null || allowed == null ? "" : `: ${formatCount(used)} of ${formatCount(allowed)} ${word}`;

const formatSpent = ({ agents_usd: agents, judges_usd: judges, allowed_usd: allowed }: Cause) =>
  allowed == null ? "" : `: agents ${agents ?? 0} and judges ${judges ?? 0} of ${allowed} USD`;

/** Name what a reason is about: `agent:…` by the agent's name, `batch:…` by the end of its id. */
function nameAbout(name: string, nameOf: NameOf): string {
  const [kind, ...rest] = name.split(":");
  const value = rest.join(":");
  if (kind === "agent" && value) return `agent:${nameOf(value)}`;
  return kind === "batch" && value ? `batch:${shortenId(value)}` : nameOf(name);
}

/** Name what is paused: an agent by its name alone, else a kind and its value; `batch:*` is every batch. */
function namePaused(about: string): string {
  const [kind = "", ...rest] = about.split(":");
  const value = rest.join(":");
  if (value === "*") return `every ${kind}`;
  return kind === "agent" ? value : `${kind} ${value}`.trim();
}

/** Describe in words what an execution waits for: "limit tenant:press is reached: 5 of 5 running". */
export function describeCause(cause: Cause, nameOf: NameOf): string {
  const about = nameAbout(cause.name, nameOf);
  return REASONS[cause.code]?.[0](cause, about) ?? [cause.code.replaceAll("_", " "), about].filter(Boolean).join(" ");
}

/** Reasons that are about nothing that has a name. */
const NAMELESS = ["not_before", "retry_backoff", "limits_lost", "queue", "judge_away"];

/** Write a reason as a filter has it. */
export const joinReason = ({ code, name }: Pick<Cause, "code" | "name">) => (name ? `${code}:${name}` : code);

/** Describe a reason of a filter; without a name, it is of whatever it holds for. */
export function describeReason(text: string, nameOf: NameOf): string {
  const [code = "", ...name] = text.split(":");
  const isAny = name.length === 0 && !NAMELESS.includes(code);
  return isAny ? code.replaceAll("_", " ") : describeCause({ code, name: name.join(":") }, nameOf);
}

export const findInk = (code: string) => REASONS[code]?.[1];

/** What comes when the time is up, before the time that is left. */
const ENDS: Record<string, string> = {
  circuit_open: ", tried again ",
  limit_rate: ", the next begins ",
  limit_usd_per_day: ", goes on ",
};

/** Describe what comes at the end of a wait: ", tried again " of "circuit of writer is open, tried again in 9 s". */
export const describeEnd = (code: string) => ENDS[code] ?? " ";

/** Describe whose move it is. */
export const describeOwner = (owner: string) => OWNERS[owner] ?? owner;

/** Where in the page the cause can be lifted. */
export type RemedyPage =
  | { to: "/system/limits" | "/agents"; name: string }
  | { to: "/batches/$id"; id: string; name: string };

/** Find the page that has what lifts a cause; null where no page does. */
export function findRemedyPage({ code, name }: Pick<WaitReason, "code" | "name">): RemedyPage | null {
  if (code.startsWith("limit")) {
    if (name.startsWith("batch:") && name !== "batch:*")
      return { to: "/batches/$id", id: name.slice(6), name: "Batch" };
    return code === "limit_paused" && name.startsWith("agent:")
      ? { to: "/agents", name: "Agents" }
      : { to: "/system/limits", name: "Limits" };
  }
  const isOfAgents = code.startsWith("circuit_") || code === "agent_disabled" || code === "no_agent_matches";
  return isOfAgents ? { to: "/agents", name: "Agents" } : null;
}

/** Return what a job waits for, the first thing first: nothing where an entry was recorded since that was read. */
export function currentReasons({ last_log: last }: Pick<Job, "last_log">, waiting?: Waiting | null): WaitReason[] {
  const isOld = last && waiting?.since && Date.parse(last.created_at) > Date.parse(waiting.since);
  return isOld ? [] : (waiting?.reasons ?? []);
}

/** Count all that wait. */
export const countWaiting = (sums: readonly WaitingSum[]) => sums.reduce((all, { count }) => all + count, 0);
