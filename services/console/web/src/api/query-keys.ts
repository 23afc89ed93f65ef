/** The keys of everything that is read of jobs. What the live stream writes, it finds by these. */
export const jobKeys = {
  all: ["jobs"] as const,
  lists: ["jobs", "list"] as const,
  list: (filters: object) => ["jobs", "list", filters] as const,
  counts: ["jobs", "counts"] as const,
  details: ["jobs", "detail"] as const,
  detail: (id: string) => ["jobs", "detail", id] as const,
  logs: (id: string) => ["jobs", "logs", id] as const,
  /** What was recorded and never changes: no event makes it old. */
  entries: (id: string) => ["entries", id] as const,
};

/** What a change of some job makes stale; the pages of these are refetched a little later. */
export const DERIVED_KEYS = [jobKeys.counts, ["batches"], ["overview"], ["agents", "stats"]] as const;
