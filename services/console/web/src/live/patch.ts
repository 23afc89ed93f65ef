import type { Job, JobChange, JobLog } from "@/api/types";

/** A job as its changes leave it; the same object when they are all known already. `changes` is ordered by version. */
export function patchJob(job: Job, changes: readonly JobChange[]): Job {
  return changes.reduce((now, change) => (change.version > now.version ? patched(now, change) : now), job);
}

function patched(job: Job, change: JobChange): Job {
  const isNewExecution = change.execution_id != null && change.execution_id !== job.execution_id;
  const before = isNewExecution ? null : (job.progress ?? null);
  const progress = change.progress ?? before;
  const hasProgressed = change.progress != null && change.progress !== before;
  return {
    ...job,
    version: change.version,
    status: change.status,
    updated_at: change.at,
    agent_id: change.agent_id ?? job.agent_id,
    execution_id: change.execution_id ?? job.execution_id,
    submission: change.submission ?? job.submission,
    progress,
    progress_message: hasProgressed ? change.message : isNewExecution ? null : job.progress_message,
    spent_usd: change.spent_usd ?? job.spent_usd,
    spent_tokens: change.spent_tokens ?? job.spent_tokens,
    live: isLive(change),
    code: change.code ?? null,
    message: change.message ?? null,
    attempt: change.attempt ?? null,
  };
}

function isLive(change: JobChange): boolean {
  if (change.status === "IN_PROGRESS") return true;
  return change.status === "ASSIGNED" && change.execution_id != null && change.log_status == null;
}

/** The log of a change, without the bodies, until the whole one is read. */
export function logOfChange(change: JobChange): JobLog {
  return {
    id: `live:${change.job_id}:${change.version}`,
    job_id: change.job_id,
    version: change.version,
    status: change.log_status ?? change.status,
    job_status: change.status,
    message: change.message ?? null,
    code: change.code ?? null,
    attempt: change.attempt ?? null,
    submission: change.submission ?? null,
    progress: change.progress ?? null,
    agent_id: change.agent_id ?? null,
    next_attempt_at: change.next_attempt_at ?? null,
    execution_id: change.execution_id ?? null,
    cursor: change.cursor,
    created_at: change.at,
  };
}
