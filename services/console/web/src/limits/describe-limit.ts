import type { Limit, NewLimit } from "@/api/types";
import { pluralize } from "@/lib/format";

/** Describe a limit: "4 at once, 10 in each 60 s, paused". */
export function describeLimit(limit: NewLimit): string {
  const { concurrency, rate, rate_period_s: period = 1, queue_max: queue, weight, paused } = limit;
  const { usd_per_day: usd, judge_policies: judges } = limit;
  const words = [
    concurrency != null && `${concurrency} at once`,
    rate != null && `${rate} in each ${period === 1 ? "second" : `${period} s`}`,
    queue != null && `${pluralize(queue, "execution")} may wait`,
    weight != null && `weight ${weight}`,
    usd != null && `${usd} USD a day`,
    judges != null && `judged by ${judges.join(" or ")}`,
    paused != null && (paused ? "paused" : "not paused"),
  ].filter(Boolean);
  return words.join(", ") || "none";
}

/** Describe what a tenant spent this day: "today agents 3.5 and judges 0.25 USD". */
export function describeSpending({ agents_usd: agents, judges_usd: judges }: Limit): string | null {
  const [claimed, judged] = [agents ?? "0", judges ?? "0"];
  return Number(claimed) || Number(judged) ? `today agents ${claimed} and judges ${judged} USD` : null;
}

const KINDS = { agent: "Agent", tenant: "Tenant", label: "Label" } as const;

/** Describe what a limit's name applies to, agents by their names. */
export function describeLimitName(name: string, nameOf = (id: string) => id): string {
  const [kind = "", ...rest] = name.split(":");
  const value = rest.join(":");
  const word = KINDS[kind as keyof typeof KINDS] ?? kind;
  if (value.endsWith("=*")) return `Each value of the ${word.toLowerCase()} ${value.slice(0, -2)}`;
  if (value === "*") return `Each ${word.toLowerCase()}`;
  return `${word} ${kind === "agent" ? nameOf(value) : value}`;
}
