/**
 * What the REST does not describe yet. Each goes away when schema.d.ts has it; until then all of it may be absent,
 * and the page does without.
 */
export type JobExtras = {
  /** Whether an execution is asked for or under way: an ASSIGNED job does not tell. */
  live?: boolean;
  /** Of the latest log. */
  code?: string | null;
  message?: string | null;
  attempt?: number | null;
};

/** Of the event `job-changed`. */
export type ChangeExtras = { agent_id?: string | null };

export type LogExtras = { next_attempt_at?: string | null };

/** Of `GET /api/jobs`, beside what JobsQuery has. */
export type JobsQueryExtras = {
  text?: string;
  created_after?: string;
  created_before?: string;
  sort?: string;
};
