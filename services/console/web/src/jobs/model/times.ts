import type { JobLog } from "@/api/types";
import { formatDuration } from "@/lib/format";
import { makeCalls, sumSpans } from "./waterfall";

/** How long an execution waited (for a worker, or before its next call), ran, and was judged; in milliseconds. */
export type Times = { waited: number; ran: number; judged: number };

/** Measure where the time of an execution went, by its entries, from its request until a moment. */
export function measureTimes(logs: readonly JobLog[], until: number): Times {
  const { queue = 0, backoff = 0, judgeQueue = 0, agent = 0, judge = 0 } = sumSpans(makeCalls(logs), until);
  return { waited: queue + backoff + judgeQueue, ran: agent, judged: judge };
}

/** Format where the time went: "waited 2m 01s, ran 6 s, judged 1.2 s". */
export function formatTimes({ waited, ran, judged }: Times): string {
  const parts = [`waited ${formatDuration(waited)}`, ran > 0 && `ran ${formatDuration(ran)}`];
  return [...parts, judged > 0 && `judged ${formatDuration(judged)}`].filter(Boolean).join(", ");
}
