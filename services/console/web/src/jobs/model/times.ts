import type { JobLog } from "@/api/types";
import { formatDuration } from "@/lib/format";

/** What an execution spends its time on, by the kind of entry with which it begins. */
const BEGINS: Record<string, keyof Times> = {
  requested: "waited",
  attempt_failed: "waited",
  lapsed: "waited",
  given_back: "waited",
  call_failed: "waited",
  claimed: "ran",
  call_begun: "ran",
  result: "judged",
};

/** How long an execution waited (for a worker, or before its next call), ran, and was judged; in milliseconds. */
export type Times = { waited: number; ran: number; judged: number };

/** Measure where the time of an execution went, by its entries, from its request until a moment. */
export function measureTimes(logs: readonly JobLog[], until: number): Times {
  const times: Times = { waited: 0, ran: 0, judged: 0 };
  let on: keyof Times = "waited";
  let from = Date.parse(logs[0]?.created_at ?? "");
  const pass = (to: number) => {
    const end = Math.min(to, until);
    if (end > from) times[on] += end - from;
    from = Math.max(from, end);
  };
  for (const { kind, created_at, next_attempt_at: next } of logs) {
    pass(Date.parse(created_at));
    on = BEGINS[kind ?? ""] ?? on;
    if (kind !== "call_failed" || !next) continue;
    pass(Date.parse(next)); // the worker calls again by itself
    on = "ran";
  }
  pass(until);
  return times;
}

/** Format where the time went: "waited 2m 01s, ran 6 s, judged 1.2 s". */
export function formatTimes({ waited, ran, judged }: Times): string {
  const parts = [`waited ${formatDuration(waited)}`, ran > 0 && `ran ${formatDuration(ran)}`];
  return [...parts, judged > 0 && `judged ${formatDuration(judged)}`].filter(Boolean).join(", ");
}
