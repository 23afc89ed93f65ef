import type { JobLog } from "@/api/types";
import { hasResult, isLate } from "./logs";

/** Log entries of one execution; or, without one, between executions. */
export type Submission = {
  key: string;
  /** Its name among all: "2.1" is the first try of the second submission, "2.late" a result of it that came late. */
  slug: string;
  /** Title that tells it from the others: a submission may be tried again after a failure. */
  name: string;
  /** Number of the submission; null between executions. */
  number: number | null;
  executionId: string | null;
  agent: string | null;
  logs: JobLog[];
  startedAt: string;
  endedAt: string | null;
  outcome: string;
  /** Version of the entry that holds the result; null while there is none. */
  resultVersion: number | null;
  /** Summary of the verdict. */
  reason: string | null;
  /** Calls of the agent that have ended; and the cost of agent and judge. */
  calls: number;
  costUsd: number;
  /** Whether it is only a result that came after the end. */
  isLate: boolean;
};

const ENDS: ReadonlySet<string> = new Set(["COMPLETED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED", "CANCELLED"]);

/** Join the newest entries with the milestones before them: enough to know where a job stands. */
export function withMilestones(milestones: readonly JobLog[], newest: readonly JobLog[]): readonly JobLog[] {
  const first = newest[0]?.version ?? 0;
  return first > 1 ? [...milestones.filter(({ version }) => version < first), ...newest] : newest;
}

/** Group log entries by submission, oldest first. */
export function groupBySubmission(logs: readonly JobLog[]): Submission[] {
  const groups: JobLog[][] = [];
  for (const log of logs) {
    const group = groups.at(-1);
    if (group && (group[0]?.execution_id ?? null) === (log.execution_id ?? null)) group.push(log);
    else groups.push([log]);
  }
  const seen = new Set<string>();
  const tries = new Map<number, number>();
  return groups.map((logs) => {
    const submission = toSubmission(logs);
    if (seen.has(submission.key)) submission.key += `/${logs[0]?.version}`; // a result that came late
    seen.add(submission.key);
    const { number, isLate } = submission;
    const nth = number === null || isLate ? 1 : (tries.get(number) ?? 0) + 1;
    if (number !== null) tries.set(number, Math.max(nth, tries.get(number) ?? 0));
    if (nth > 1) submission.name = nameSubmission(number ?? 1, nth);
    if (!isLate) submission.slug = `${number ?? logs[0]?.version}.${nth}`;
    return submission;
  });
}

function toSubmission(logs: JobLog[]): Submission {
  const first = logs[0] as JobLog;
  const last = logs.at(-1) as JobLog;
  const executionId = first.execution_id ?? null;
  const withResult = logs.findLast(hasResult);
  const end = executionId === null ? last : logs.find((log) => ENDS.has(log.status));
  const answered = logs.some(
    ({ kind, code }) => kind === "declined" || (kind === "result" && code !== "result_reused"),
  );
  const number = executionId === null ? null : (logs.find((log) => log.submission != null)?.submission ?? 1);
  return {
    key: executionId ?? `${first.version}`,
    slug: `${number}.late`,
    name: nameGroup(logs, number),
    number,
    executionId,
    agent: logs.findLast((log) => log.agent_id)?.agent_id ?? null,
    logs,
    startedAt: first.created_at,
    endedAt: end?.created_at ?? null,
    outcome: last.status,
    resultVersion: withResult?.version ?? null,
    reason: withResult && withResult.kind !== "result" ? (withResult.message ?? null) : null,
    calls: (last.spent_calls ?? 0) + Number(answered),
    costUsd: Number(last.cost_usd ?? 0) - Number(first.cost_usd ?? 0),
    isLate: logs.every(isLate),
  };
}

/** Name a submission; one that failed and was executed again has several tries. */
export const nameSubmission = (number: number, nth = 1) => `Submission ${number}${nth > 1 ? ` (try ${nth})` : ""}`;

function nameGroup(logs: readonly JobLog[], number: number | null): string {
  if (number === null) return logs.every(({ kind }) => kind === "edited") ? "Edit" : "Assignment";
  return logs.every(isLate) ? `${nameSubmission(number)}, late result` : nameSubmission(number);
}
