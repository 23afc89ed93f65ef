import type { Job, JobChange, JobLog, Verdict } from "@/api/types";

const AT = "2026-11-25T00:00:00Z";

export function aJob(fields: Partial<Job> = {}): Job {
  return {
    id: "poem",
    title: "A poem",
    description: "",
    acceptance_criteria: "It rhymes\noptional: it is short",
    payload: null,
    status: "ASSIGNED",
    version: 1,
    agent_id: "writer",
    execution_id: null,
    submission: 1,
    priority: 5,
    tenant: "default",
    labels: {},
    policy: {},
    capabilities: [],
    spent_usd: 0,
    spent_tokens: 0,
    created_at: AT,
    updated_at: AT,
    ...fields,
  };
}

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
    created_at: new Date(Date.parse(AT) + version * 1_000).toISOString(),
    ...fields,
  };
}

export function aChange(fields: Partial<JobChange> = {}): JobChange {
  return { cursor: fields.version ?? 2, job_id: "poem", version: 2, status: "IN_PROGRESS", at: AT, ...fields };
}

export function aVerdict(fields: Partial<Verdict> = {}): Verdict {
  return {
    is_valid: false,
    reason: "1 of 2 criteria are met",
    criteria: [
      { text: "It rhymes", outcome: "pass", evidence: "moon and June", comment: "two rhymes" },
      { text: "it is short", outcome: "fail", required: false, evidence: null, comment: "nine hundred lines" },
    ],
    model: "a-model",
    ...fields,
  };
}
