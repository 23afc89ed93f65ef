import type { JobLog, PastWait } from "@/api/types";
import { formatDuration } from "@/lib/format";
import { isLate } from "./logs";

/** What is done or waited for: the words of a span of time. */
export const SPAN_WORDS = {
  queue: "in the queue",
  agent: "with the agent",
  backoff: "before the next call",
  judgeQueue: "in the queue for the judge",
  judge: "with the judge",
} as const;
export type SpanKind = keyof typeof SPAN_WORDS;

/** Time spent on one thing, in milliseconds; without an end while it goes on. `version` is the entry with which it began. */
export type Span = {
  kind: SpanKind;
  begin: number;
  end: number | null;
  version: number;
  /** What of it was waited for, where that is known. */
  waits?: PastWait[];
};

/** One call of the agent, with the wait before it, and the judging of its result after it. */
export type Call = {
  submission: number;
  /** Which try of the submission it is of: one that failed may be executed again. */
  nth: number;
  number: number;
  agent: string | null;
  spans: Span[];
  /** When the agent reported progress, and how far it was, each with the version of its entry. */
  ticks: { version: number; at: number; share: number }[];
};

/** What goes on after an entry of each kind; after any other that belongs to an execution, nothing does. */
const FOLLOWS: Record<string, SpanKind> = {
  requested: "queue",
  claimed: "queue",
  call_begun: "agent",
  progress: "agent",
  call_failed: "backoff",
  attempt_failed: "backoff",
  given_back: "queue",
  lapsed: "queue",
  result: "judge",
  judging_claimed: "judge",
  misjudged: "judge",
};
/** Kinds of entries after which the agent is called once more. */
const ENDS_CALL: readonly string[] = ["call_failed", "attempt_failed", "given_back", "lapsed"];

/** Make the calls of a job, oldest first, from the entries of its log, oldest first: as the command line does. */
export function makeCalls(logs: readonly JobLog[]): Call[] {
  const calls: Call[] = [];
  const numbers = new Map<string, number>();
  const tries = new Map<number, number>();
  for (const log of logs) {
    const { execution_id: id, kind, agent_id: agent } = log;
    if (id == null || isLate(log)) continue;
    const at = Date.parse(log.created_at);
    const submission = log.submission ?? 1;
    if (kind === "requested") {
      const nth = (tries.get(submission) ?? 0) + 1;
      tries.set(submission, nth);
      numbers.set(id, 1);
      calls.push({ submission, nth, number: 1, agent: agent ?? null, spans: [], ticks: [] });
    }
    const call = calls.at(-1);
    const number = numbers.get(id);
    if (!call || number === undefined) continue;
    const endsCall = ENDS_CALL.includes(kind ?? "");
    // A validator that was lost or gave the result back calls no agent: the result is judged once more.
    if (endsCall && isJudged(call)) continue;
    addEntry(call, log, at);
    if (!endsCall) continue;
    numbers.set(id, number + 1);
    calls.push(followingCall(call, log, at, number + 1));
  }
  return calls;
}

const isJudged = ({ spans }: Call) => ["judge", "judgeQueue"].includes(spans.at(-1)?.kind ?? "");

/** Make the call that follows an entry which ends one: it may have to wait for its time before it is queued. */
function followingCall({ submission, nth, agent }: Call, log: JobLog, at: number, number: number): Call {
  const { version, next_attempt_at: next } = log;
  const begin = next ? Math.max(at, Date.parse(next)) : at;
  const spans: Span[] = begin > at ? [{ kind: "backoff", begin: at, end: begin, version }] : [];
  spans.push({ kind: "queue", begin, end: null, version });
  return { submission, nth, number, agent, spans, ticks: [] };
}

/** Add an entry to its call: it ends what went on, and says what goes on from then. */
function addEntry(call: Call, log: JobLog, at: number): void {
  const { kind, progress, version } = log;
  call.agent = log.agent_id ?? call.agent;
  if (kind === "progress" && progress != null) call.ticks.push({ version, at, share: progress });
  const follows = ENDS_CALL.includes(kind ?? "") ? undefined : FOLLOWS[kind ?? ""];
  splitLast(call, log, at);
  const last = call.spans.at(-1);
  if (last?.kind === "queue" && log.waited?.length) last.waits = [...(last.waits ?? []), ...log.waited];
  if (last && last.end === null) {
    if (last.kind === follows) return;
    last.end = Math.max(last.begin, at);
    if (last.end === last.begin) call.spans.pop();
  }
  if (follows) call.spans.push({ kind: follows, begin: at, end: null, version });
}

/**
 * Say of the span that an entry ends from when on it was done: before, it waited for a worker. That a call has begun may
 * be recorded only as it ends.
 */
function splitLast({ spans }: Call, { duration_s: seconds }: JobLog, at: number): void {
  let last = spans.at(-1);
  if (!last || last.end !== null || seconds == null) return;
  const before = spans.at(-2);
  const beganWith = last.version;
  if (last.kind === "agent" && before?.kind === "queue") {
    spans.pop();
    last = before;
  }
  if (last.kind === "agent") return;
  const { begin, version, waits } = last;
  const began = Math.max(begin, at - seconds * 1_000);
  const [waited, done] = last.kind === "judge" ? (["judgeQueue", "judge"] as const) : ([last.kind, "agent"] as const);
  spans.pop();
  if (began > begin) spans.push({ kind: waited, begin, end: began, version, ...(waits && { waits }) });
  spans.push({ kind: done, begin: began, end: null, version: beganWith });
}

/** Sum up for how long the queue was waited in for each thing, in milliseconds: the longest first. */
export function sumWaits(calls: readonly Call[]): { wait: PastWait; took: number }[] {
  const sums = new Map<string, { wait: PastWait; took: number }>();
  for (const wait of calls.flatMap(({ spans }) => spans).flatMap(({ waits }) => waits ?? [])) {
    const cause = `${wait.code} ${wait.name}`;
    const took = (sums.get(cause)?.took ?? 0) + Date.parse(wait.until) - Date.parse(wait.since);
    sums.set(cause, { wait, took });
  }
  return [...sums.values()].sort((one, other) => other.took - one.took);
}

/** Sum up how long each kind of span took, until a moment where one goes on. */
export function sumSpans(calls: readonly Call[], now: number): Partial<Record<SpanKind, number>> {
  const sums: Partial<Record<SpanKind, number>> = {};
  for (const { kind, begin, end } of calls.flatMap(({ spans }) => spans)) {
    sums[kind] = (sums[kind] ?? 0) + Math.max(0, Math.min(end ?? now, now) - begin);
  }
  return sums;
}

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
