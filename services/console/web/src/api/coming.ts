import type { components } from "./schema";

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

/** Of `GET /api/jobs/counts`: jobs by status; a number that is `capped_at` may be more. */
export type JobCounts = { counts: Partial<Record<JobStatus, number>>; capped_at: number };

/** Now, and of late: `success_rate` from 0 to 1, null while there is nothing to tell it from. */
export type AgentStats = {
  agent_id: string;
  running: number;
  queued: number;
  success_rate: number | null;
  mean_duration_s: number | null;
};

/** In seconds; null where nothing was measured. */
type Percentiles = { p50: number | null; p95: number | null; p99: number | null };

export type OverviewCounts = {
  created: number;
  completed: number;
  failed: number;
  rejected: number;
  resubmission_required: number;
  cancelled: number;
  cost_usd: number;
  tokens: number;
};

export type OverviewPoint = OverviewCounts & { at: string; wait: Percentiles; duration: Percentiles };

export type Overview = {
  points: OverviewPoint[];
  totals: OverviewCounts & { acceptance_rate: number | null };
  now: {
    queued: number;
    running: number;
    judging: number;
    oldest_wait_s: number | null;
    dead_letters: Record<string, number>;
  };
};

export type DeadLetter = {
  topic: string;
  partition: number;
  offset: number;
  at: string;
  code?: string | null;
  message?: string | null;
  source_topic?: string | null;
  source_offset?: number | null;
  key?: string | null;
};

export type DeadLetters = { counts: Record<string, number>; items: DeadLetter[] };

/** What of a job can be changed; what is absent stays. */
export type JobEdit = {
  title?: string;
  description?: string;
  acceptance_criteria?: string;
  payload?: unknown;
  priority?: number;
  labels?: Record<string, string>;
  policy?: Schemas["Policy"];
  not_before?: string | null;
  capabilities?: string[];
};

type Schemas = components["schemas"];
type JobStatus = Schemas["JobStatus"];
type Gives<Body> = { responses: { 200: { content: { "application/json": Body } } } };
/** In the manner of the generated `paths`, of which it takes the place. */
export type ComingPaths = {
  "/api/jobs/counts": { get: Gives<JobCounts> };
  "/api/jobs/{job_id}": { get: Gives<Schemas["Job"]>; patch: Gives<Schemas["Job"]> };
  "/api/agents/stats": { get: Gives<{ items: AgentStats[] }> };
  "/api/overview": { get: Gives<Overview> };
  "/api/dead-letters": { get: Gives<DeadLetters> };
};
