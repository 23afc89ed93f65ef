import type {
  Agent,
  Execution,
  Job,
  JobChange,
  JobLog,
  Limit,
  Operation,
  OperationItem,
  Overview,
  Verdict,
} from "@/api/types";

const AT = "2026-11-25T00:00:00Z";

export function aJob(fields: Partial<Job> = {}): Job {
  return {
    id: "poem",
    title: "A poem",
    description: "",
    acceptance_criteria: "It rhymes\noptional: it is short",
    criteria: [
      { text: "It rhymes", required: true, kind: "meets" },
      { text: "it is short", required: false, kind: "meets" },
    ],
    payload: null,
    status: "ASSIGNED",
    version: 1,
    agent_id: "writer",
    submission: 1,
    priority: 5,
    tenant: "default",
    references: {},
    labels: {},
    policy: {},
    capabilities: [],
    cost_usd: "0",
    tokens: 0,
    cancelled: false,
    created_at: AT,
    updated_at: AT,
    ...fields,
  };
}

export const anExecution = (): Execution => ({
  id: "execution-1",
  job_id: "poem",
  submission: 1,
  state: "WAITING",
  attempt: 0,
  spent_calls: 0,
  created_at: AT,
});

export function aLog(fields: Partial<JobLog> = {}): JobLog {
  const version = fields.version ?? 1;
  return {
    id: `log-${version}`,
    job_id: "poem",
    version,
    status: "IN_PROGRESS",
    job_status: "IN_PROGRESS",
    agent_id: "writer",
    message: "the agent is being called",
    execution_id: "execution-1",
    attempt: 1,
    submission: 1,
    cursor: version,
    kind: "call_begun",
    created_at: new Date(Date.parse(AT) + version * 1_000).toISOString(),
    ...fields,
  };
}

type ChangeFields = Partial<JobChange["job"]> & { cursor?: number; job_id?: string; log?: Partial<JobLog> };

export function aChange({ cursor, job_id = "poem", version = 2, log, ...job }: ChangeFields = {}): JobChange {
  const status = job.status ?? "IN_PROGRESS";
  return {
    cursor: cursor ?? version,
    job_id,
    version,
    job: { id: job_id, status, version, updated_at: AT, ...job },
    log: aLog({ job_id, version, status, job_status: status, ...log }),
  };
}

export function aVerdict(fields: Partial<Verdict> = {}): Verdict {
  return {
    is_valid: false,
    reason: "1 of 2 criteria are met",
    criteria: [
      { text: "It rhymes", outcome: "pass", evidence: ["moon and June"], comment: "two rhymes" },
      { text: "it is short", outcome: "fail", required: false, evidence: [], comment: "nine hundred lines" },
    ],
    model: "a-model",
    ...fields,
  };
}

export function anAgent(fields: Partial<Agent> = {}): Agent {
  return {
    id: "writer",
    name: "writer",
    protocol: "http",
    url: "http://a",
    capabilities: [],
    policy: {},
    headers: {},
    settings: {},
    enabled: true,
    circuit: "CLOSED",
    version: 1,
    paused: false,
    deterministic: false,
    tenant: "default",
    shared: true,
    created_at: AT,
    updated_at: AT,
    ...fields,
  };
}

export function aLimit(fields: Partial<Limit> = {}): Limit {
  return { name: "agent:writer", version: 1, concurrency: 4, rate_period_s: 1, updated_at: AT, ...fields };
}

export function aBatch(fields: Partial<Operation> = {}): Operation {
  return {
    id: "batch-1",
    kind: "execute",
    state: "RUNNING",
    total: 10,
    counts: { COMPLETED: 4, FAILED: 1, REFUSED: 1, IN_PROGRESS: 2, ASSIGNED: 2 },
    progress: 0.6,
    rate_per_s: 2,
    waiting: [],
    refused: [],
    created_at: AT,
    ...fields,
  };
}

export function anItem(fields: Partial<OperationItem> = {}): OperationItem {
  return { item: 0, job_id: "poem", title: "A poem", outcome: "FAILED", ...fields };
}

export function anOverview(fields: Partial<Overview> = {}): Overview {
  const numbers = {
    created: 9,
    completed: 6,
    failed: 1,
    rejected: 1,
    resubmission_required: 1,
    cancelled: 0,
    cost_usd: "0.25",
    tokens: 1_200,
  };
  const gauges = { queued_max: 40, running_max: 5, judging_max: 0 };
  const wait = { p50: 0.5, p95: 2 };
  const times = { wait, agent: { p50: 0.3 }, judge: { p50: 1.2 }, duration: { p50: 4, p95: 9, p99: 12 } };
  return {
    points: [
      {
        at: AT,
        ...numbers,
        ...gauges,
        ...times,
      },
    ],
    totals: { ...numbers, ...times, acceptance_rate: 0.75 },
    now: { queued: 12, running: 3, judging: 1, oldest_wait_s: 95, dead_letters: { "execute-requested.dlq": 2 } },
    upstreams_sign: false,
    signing_secret: "2026-11",
    waiting: [],
    ...fields,
  };
}
