import type { CriterionVerdict, JobLog, Verdict } from "@/api/types";

type Answer = { result?: unknown; verdict?: unknown };

function answerOf(log: JobLog): Answer | undefined {
  const payload = log.response_payload;
  return typeof payload === "object" && payload !== null && !Array.isArray(payload) ? (payload as Answer) : undefined;
}

export function resultOf(log: JobLog): unknown {
  return answerOf(log)?.result;
}

export function verdictOf(log: JobLog): Verdict | undefined {
  const verdict = answerOf(log)?.verdict as Partial<Verdict> | undefined;
  if (typeof verdict !== "object" || verdict === null || !Array.isArray(verdict.criteria)) return undefined;
  return { reason: "", ...verdict, is_valid: verdict.is_valid === true, criteria: verdict.criteria };
}

/** "4 of 5 met", required or not. */
export function metCount(criteria: readonly CriterionVerdict[]): string {
  return `${criteria.filter((criterion) => criterion.outcome === "pass").length} of ${criteria.length} met`;
}

const RETRY = /call (\d+) of (\d+) follows in ([\d.e+-]+) s/;

export type NextAttempt = { call: number; calls: number; at: string };

/** When the agent is called again after a failed call, as its log says. */
export function nextAttempt(log: JobLog): NextAttempt | undefined {
  const match = RETRY.exec(log.message ?? "");
  if (!match) return undefined;
  const wait = Number(match[3]) * 1_000;
  const at = log.next_attempt_at ?? new Date(Date.parse(log.created_at) + wait).toISOString();
  return { call: Number(match[1]), calls: Number(match[2]), at };
}

const CALL = /it was call (\d+) of (\d+)/;

/** Which call of how many failed. */
export function lastCall(log: JobLog): { call: number; calls: number } | undefined {
  const next = nextAttempt(log);
  if (next) return { call: next.call - 1, calls: next.calls };
  const match = CALL.exec(log.message ?? "");
  return match ? { call: Number(match[1]), calls: Number(match[2]) } : undefined;
}
