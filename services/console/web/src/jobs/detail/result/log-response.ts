import type { CriterionVerdict, JobLog, Verdict } from "@/api/types";

type ResponsePayload = { result?: unknown; verdict?: unknown };

function readResponse(log: JobLog): ResponsePayload | undefined {
  const payload = log.response_payload;
  return typeof payload === "object" && payload !== null && !Array.isArray(payload)
    ? (payload as ResponsePayload)
    : undefined;
}

export function readResult(log: JobLog): unknown {
  return readResponse(log)?.result;
}

export function readVerdict(log: JobLog): Verdict | undefined {
  const verdict = readResponse(log)?.verdict as Partial<Verdict> | undefined;
  if (typeof verdict !== "object" || verdict === null || !Array.isArray(verdict.criteria)) return undefined;
  return { reason: "", ...verdict, is_valid: verdict.is_valid === true, criteria: verdict.criteria };
}

/** Describe how many criteria are met, required or not: "4 of 5 met". */
export function describeMetCount(criteria: readonly CriterionVerdict[]): string {
  return `${criteria.filter((criterion) => criterion.outcome === "pass").length} of ${criteria.length} met`;
}
