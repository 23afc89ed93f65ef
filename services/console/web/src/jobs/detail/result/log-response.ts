import type { JobLog, Verdict } from "@/api/types";
import { toVerdict } from "@/judging/verdict";

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

export const readVerdict = (log: JobLog): Verdict | undefined => toVerdict(readResponse(log)?.verdict);
