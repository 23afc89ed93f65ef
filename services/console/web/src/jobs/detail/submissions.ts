import type { JobLog, JobLogStatus, Verdict } from "@/api/types";
import { hasResult, resultOf, verdictOf } from "./answers";

/** What was recorded of one execution; or, without one, between executions. */
export type Submission = {
  key: string;
  /** Null for what was recorded between executions. */
  number: number | null;
  executionId: string | null;
  agent: string | null;
  logs: JobLog[];
  startedAt: string;
  endedAt: string | null;
  outcome: JobLogStatus;
  /** Of the entry that holds the result; null where there is none yet. */
  resultVersion: number | null;
  result: unknown;
  verdict?: Verdict;
};

const ENDS: ReadonlySet<JobLogStatus> = new Set([
  "COMPLETED",
  "FAILED",
  "REJECTED",
  "RESUBMISSION_REQUIRED",
  "CANCELLED",
]);

/** The history by submission, oldest first. */
export function submissionsOf(logs: readonly JobLog[]): Submission[] {
  const groups: JobLog[][] = [];
  for (const log of logs) {
    const group = groups.at(-1);
    if (group && (group[0]?.execution_id ?? null) === (log.execution_id ?? null)) group.push(log);
    else groups.push([log]);
  }
  return groups.map(submissionOf);
}

function submissionOf(logs: JobLog[]): Submission {
  const first = logs[0] as JobLog;
  const last = logs.at(-1) as JobLog;
  const executionId = first.execution_id ?? null;
  const withResult = logs.findLast(hasResult);
  const isOver = executionId === null || ENDS.has(last.status);
  return {
    key: `${first.version}`,
    number: executionId === null ? null : (logs.find((log) => log.submission != null)?.submission ?? 1),
    executionId,
    agent: logs.findLast((log) => log.agent_id)?.agent_id ?? null,
    logs,
    startedAt: first.created_at,
    endedAt: isOver ? last.created_at : null,
    outcome: last.status,
    resultVersion: withResult?.version ?? null,
    result: withResult && resultOf(withResult),
    verdict: logs.map(verdictOf).findLast((verdict) => verdict !== undefined),
  };
}

export function titleOf(submission: Submission): string {
  return submission.number === null ? "Assignment" : `Submission ${submission.number}`;
}

/** Executions alone, with a name of its own for each: a submission may have been tried again after a failure. */
export function named(submissions: readonly Submission[]): { submission: Submission; name: string }[] {
  const seen = new Map<number, number>();
  return submissions.flatMap((submission) => {
    if (submission.number === null) return [];
    const times = (seen.get(submission.number) ?? 0) + 1;
    seen.set(submission.number, times);
    return [{ submission, name: times === 1 ? titleOf(submission) : `${titleOf(submission)} (try ${times})` }];
  });
}
