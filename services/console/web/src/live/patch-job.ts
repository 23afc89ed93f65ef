import type { Job, JobChange } from "@/api/types";

/** Apply changes, ordered by version, to a job; return the same object when it has them already. */
export function patchJob(job: Job, changes: readonly JobChange[]): Job {
  const known = job.last_log?.version === job.version ? job.version : job.version - 1; // responses have no log entry
  const news = changes.filter((change) => change.version > known);
  if (news.length === 0) return job;
  return { ...news.reduce((known, change) => applyNow(known, change.job), job), last_log: news.at(-1)?.log };
}

/** Apply what a transition left: an agent and progress that are not given are none, and all else is as it was. */
function applyNow({ agent_id: _agent, progress: _progress, ...rest }: Job, now: JobChange["job"]): Job {
  return { ...rest, ...now };
}
