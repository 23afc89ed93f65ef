import type { Job, JobChange } from "@/api/types";

/** Apply changes, ordered by version, to a job; return the same object when it has them already. */
export function patchJob(job: Job, changes: readonly JobChange[]): Job {
  const known = job.last_log?.version === job.version ? job.version : job.version - 1; // responses have no log entry
  const news = changes.filter((change) => change.version > known);
  if (news.length === 0) return job;
  return Object.assign({}, job, ...news.map((change) => change.job), { last_log: news.at(-1)?.log });
}
