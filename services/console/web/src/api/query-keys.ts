/** Query keys of everything that is read of jobs; the live stream finds what it writes by them. */
export const jobKeys = {
  all: ["jobs"] as const,
  lists: ["jobs", "list"] as const,
  list: (filters: object) => ["jobs", "list", filters] as const,
  counts: ["jobs", "counts"] as const,
  details: ["jobs", "detail"] as const,
  detail: (id: string) => ["jobs", "detail", id] as const,
  allWaiting: ["jobs", "waiting"] as const,
  waiting: (id: string, version: number) => ["jobs", "waiting", id, version] as const,
  logs: (id: string) => ["jobs", "logs", id] as const,
  /** Recorded log entries: they never change, so no event makes them stale. */
  entries: (id: string) => ["entries", id] as const,
};

/** Query keys of data derived from jobs: refetched a little later whenever a job changes. */
export const DERIVED_KEYS = [jobKeys.counts, ["batches"], ["overview"], ["inbox"], ["agents", "stats"]] as const;
