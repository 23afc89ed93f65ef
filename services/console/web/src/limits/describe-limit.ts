import type { NewLimit } from "@/api/types";
import { pluralize } from "@/lib/format";

/** Describe a limit: "4 at once, 10 in each 60 s, paused". */
export function describeLimit(limit: NewLimit): string {
  const { concurrency, rate, rate_period_s: period = 1, queue_max: queue, weight, paused } = limit;
  const words = [
    concurrency != null && `${concurrency} at once`,
    rate != null && `${rate} in each ${period === 1 ? "second" : `${period} s`}`,
    queue != null && `${pluralize(queue, "execution")} may wait`,
    weight != null && `weight ${weight}`,
    paused != null && (paused ? "paused" : "not paused"),
  ].filter(Boolean);
  return words.join(", ") || "none";
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
