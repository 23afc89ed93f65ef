import type { JobLog, JobLogStatus } from "@/api/types";
import { hasResult, isLate } from "./logs";

/** Log entries of one execution; or, without one, between executions. */
export type Submission = {
  key: string;
  /** Number of the submission; null between executions. */
  number: number | null;
  executionId: string | null;
  agent: string | null;
  logs: JobLog[];
  startedAt: string;
  endedAt: string | null;
  outcome: JobLogStatus;
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

const ENDS: ReadonlySet<JobLogStatus> = new Set([
  "COMPLETED",
  "FAILED",
  "REJECTED",
  "RESUBMISSION_REQUIRED",
  "CANCELLED",
]);

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
  return groups.map((logs) => {
    const submission = toSubmission(logs);
    if (seen.has(submission.key)) submission.key += `/${logs[0]?.version}`; // a result that came late
    seen.add(submission.key);
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
  return {
    key: executionId ?? `${first.version}`,
    number: executionId === null ? null : (logs.find((log) => log.submission != null)?.submission ?? 1),
    executionId,
    agent: logs.findLast((log) => log.agent_id)?.agent_id ?? null,
    logs,
    startedAt: first.created_at,
    endedAt: end?.created_at ?? null,
    outcome: last.status,
    resultVersion: withResult?.version ?? null,
    reason: withResult && withResult.kind !== "result" ? (withResult.message ?? null) : null,
    calls: (last.spent_calls ?? 0) + Number(answered),
    costUsd: (last.spent_usd ?? 0) - (first.spent_usd ?? 0),
    isLate: logs.every(isLate),
  };
}

export function formatSubmissionTitle(submission: Submission): string {
  if (submission.number === null) return "Assignment";
  return submission.isLate ? `Submission ${submission.number}, late result` : `Submission ${submission.number}`;
}

/**
 * Name each execution uniquely, since a submission may be tried again after a failure; entries between executions are
 * left out.
 */
export function nameSubmissions(submissions: readonly Submission[]): { submission: Submission; name: string }[] {
  const seen = new Map<number, number>();
  return submissions.flatMap((submission) => {
    if (submission.number === null) return [];
    if (submission.isLate) return [{ submission, name: formatSubmissionTitle(submission) }];
    const tries = (seen.get(submission.number) ?? 0) + 1;
    seen.set(submission.number, tries);
    return [
      {
        submission,
        name: tries === 1 ? formatSubmissionTitle(submission) : `${formatSubmissionTitle(submission)} (try ${tries})`,
      },
    ];
  });
}
