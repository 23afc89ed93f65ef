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
