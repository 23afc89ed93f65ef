import type { Job, NewJob, Policy } from "@/api/types";
import { parseJson, stringifyJson } from "@/lib/exact-json";
import { POLICY_FIELDS, type PolicyValues, toPolicy, toPolicyValues } from "@/policy/policy";
import { type Criterion, formatCriteria, newCriterion, toLines } from "./criteria";

export type AssignmentMode = "agent" | "capabilities" | "later";
export type LabelRow = { id: string; name: string; value: string };

/** Values of the form: texts as they are typed. */
export type JobValues = {
  title: string;
  description: string;
  acceptance_criteria: Criterion[];
  payload: string;
  who: AssignmentMode;
  agent_id: string;
  capabilities: string;
  labels: LabelRow[];
  tenant: string;
  priority: string;
  not_before: string;
  policy: PolicyValues;
};

export const EMPTY_VALUES: JobValues = {
  title: "",
  description: "",
  acceptance_criteria: [newCriterion()],
  payload: "",
  who: "agent",
  agent_id: "",
  capabilities: "",
  labels: [],
  tenant: "default",
  priority: "5",
  not_before: "",
  policy: toPolicyValues({}),
};

/** Convert a job to the values of the form. */
export function toJobValues(job: Job): JobValues {
  return {
    title: job.title,
    description: job.description ?? "",
    acceptance_criteria: toLines(job.criteria ?? []),
    payload: job.payload == null ? "" : stringifyJson(job.payload, 2),
    who: job.capabilities?.length ? "capabilities" : job.agent_id ? "agent" : "later",
    agent_id: job.agent_id ?? "",
    capabilities: job.capabilities?.join("\n") ?? "",
    labels: Object.entries(job.labels ?? {}).map(([name, value]) => ({ id: crypto.randomUUID(), name, value })),
    tenant: job.tenant,
    priority: String(job.priority),
    not_before: "",
    policy: toPolicyValues(job.policy ?? {}),
  };
}

const splitLines = (text: string) =>
  [...new Set(text.split("\n").map((line) => line.trim()))].filter((line) => line !== "");

export function toLabels({ labels }: JobValues): Record<string, string> {
  const named = labels.filter(({ name }) => name.trim() !== "");
  return Object.fromEntries(named.map(({ name, value }) => [name.trim(), value]));
}

/**
 * Build the request for a new job. Fields of `base`, the policy that the form began with, are kept when the form does
 * not show them.
 */
export function toNewJob(values: JobValues, base: Policy = {}): NewJob {
  return {
    title: values.title,
    description: values.description,
    acceptance_criteria: formatCriteria(values.acceptance_criteria),
    payload: values.payload.trim() === "" ? null : parseJson(values.payload),
    agent_id: values.who === "agent" ? values.agent_id || null : null,
    ...(values.who === "capabilities" && { capabilities: splitLines(values.capabilities) }),
    labels: toLabels(values),
    tenant: values.tenant,
    priority: Number(values.priority),
    ...(values.not_before !== "" && { not_before: new Date(values.not_before).toISOString() }),
    policy: toPolicy(values.policy, base),
  };
}

/** Explain why a text is not a payload; undefined when it is. */
export function explainInvalidPayload(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    parseJson(text);
    return undefined;
  } catch (error) {
    return `This is not JSON: ${(error as Error).message}`;
  }
}

/** Fields at which the form can show an error of the server. */
export const JOB_FIELDS = [
  "title",
  "description",
  "acceptance_criteria",
  "payload",
  "agent_id",
  "capabilities",
  "labels",
  "tenant",
  "priority",
  "not_before",
  ...POLICY_FIELDS.map(({ key }) => `policy.${key}` as const),
];
