import type { Job, JobChange } from "@/api/types";

/** A job as its changes leave it; the same object when they are all known already. `changes` is ordered by version. */
export function patchJob(job: Job, changes: readonly JobChange[]): Job {
  const known = job.last_log?.version === job.version ? job.version : job.version - 1; // answers come without the log
  const news = changes.filter((change) => change.version > known);
  if (news.length === 0) return job;
  return Object.assign({}, job, ...news.map((change) => change.job), { last_log: news.at(-1)?.log });
}
