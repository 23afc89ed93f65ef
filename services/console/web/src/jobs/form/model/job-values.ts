import type { Job, JobPatch, NewJob, Policy } from "@/api/types";
import { FORM_FIELDS, type FormField, type FormName } from "@/jobs/fields";
import { parseJson, stringifyJson } from "@/lib/exact-json";
import { makePatch } from "@/lib/merge-patch";
import { POLICY_FIELDS, type PolicyValues, toPolicy, toPolicyValues } from "@/policy/policy";
import { type Criterion, formatCriteria, toLines } from "./criteria";

export type AssignmentMode = "agent" | "capabilities" | "later";
export type LabelRow = { id: string; name: string; value: string };

type Editors = { acceptance_criteria: Criterion[]; labels: LabelRow[]; policy: PolicyValues };
/** Values of the form: texts as they are typed, where a field has no editor of its own. */
export type JobValues = { [N in FormName]: N extends keyof Editors ? Editors[N] : string } & { who: AssignmentMode };

/** How a control reads a field of a job, what it sends of it, and what is compared, if not what it has. */
type Codec = {
  read: (job: Partial<Job>, name: FormName) => unknown;
  write: (value: never) => unknown;
  compare?: (value: never) => unknown;
};

const readText: Codec["read"] = (job, name) => String(job[name] ?? "");
const splitLines = (text: string) =>
  [...new Set(text.split("\n").map((line) => line.trim()))].filter((line) => line !== "");
const toLabels = (rows: LabelRow[]) =>
  Object.fromEntries(rows.filter(({ name }) => name.trim() !== "").map(({ name, value }) => [name.trim(), value]));

const TEXT: Codec = { read: readText, write: (text) => text };
const CODECS: Record<FormField["control"], Codec> = {
  line: { ...TEXT, write: (text) => text || undefined },
  lines: TEXT,
  agent: TEXT,
  policy: { read: (job) => toPolicyValues(job.policy ?? {}), write: toPolicy },
  priority: { read: readText, write: Number },
  moment: { read: () => "", write: (text) => (text === "" ? undefined : new Date(text).toISOString()) },
  capabilities: { read: (job) => job.capabilities?.join("\n") ?? "", write: splitLines },
  criteria: { read: (job) => toLines(job.criteria ?? []), write: formatCriteria, compare: formatCriteria },
  json: {
    read: ({ payload }) => (payload == null ? "" : stringifyJson(payload, 2)),
    write: (text: string) => (text.trim() === "" ? null : parseJson(text)),
    compare: (text: string) => text.trim(),
  },
  labels: {
    read: ({ labels = {} }) =>
      Object.entries(labels).map(([name, value]) => ({ id: crypto.randomUUID(), name, value })),
    write: toLabels,
    compare: toLabels,
  },
};

function readValues(job: Partial<Job>, who: AssignmentMode): JobValues {
  const values = FORM_FIELDS.map(({ key, control, initial }) => [
    key,
    CODECS[control].read(job, key) || (initial ?? ""),
  ]);
  return { ...(Object.fromEntries(values) as JobValues), who };
}

export const EMPTY_VALUES = readValues({}, "agent");

/** Convert a job to the values of the form. */
export const toJobValues = (job: Job): JobValues =>
  readValues(job, job.capabilities?.length ? "capabilities" : job.agent_id ? "agent" : "later");

/**
 * Build the request for a new job. Fields of `base`, the policy that the form began with, are kept when the form does
 * not show them.
 */
export function toNewJob(values: JobValues, base: Policy = {}): NewJob {
  const { who, agent_id: agent } = values;
  const sent = FORM_FIELDS.map(({ key, control }) => [key, CODECS[control].write(values[key] as never)]);
  const { capabilities, ...job } = Object.fromEntries(sent.filter(([, value]) => value !== undefined));
  return {
    ...job,
    agent_id: (who === "agent" && agent) || null,
    ...(who === "capabilities" && { capabilities }),
    policy: toPolicy(values.policy, base),
  };
}

/** Fields at which the form can show an error of the server. */
export const PLACED: readonly string[] = [
  ...FORM_FIELDS.map(({ key }) => key),
  ...POLICY_FIELDS.map(({ key }) => `policy.${key}`),
];

const EDITED = FORM_FIELDS.filter(({ isEdited }) => isEdited);

const toComparable = ({ key, control }: FormField, values: JobValues) =>
  CODECS[control].compare?.(values[key] as never) ?? values[key];

/** Find the fields whose values differ from the job's: those that can be edited while it is not being executed. */
export function findChanges(values: JobValues, base: Job): FormField[] {
  const before = toJobValues(base);
  const format = (field: FormField, of: JobValues) => JSON.stringify(toComparable(field, of));
  return EDITED.filter((field) => format(field, values) !== format(field, before));
}

/** Format a job's field as text. */
export function formatField(job: Job, field: FormField): string {
  const value = toComparable(field, toJobValues(job));
  return typeof value === "string" ? value : stringifyJson(job[field.key], 2);
}

/** Build the request of an edit: the changed fields only, and of labels and policy the changed members. */
export function toJobPatch(values: JobValues, base: Job): JobPatch {
  const job = toNewJob(values, base.policy);
  const { labels = {}, policy = {} } = makePatch(base, job) as JobPatch;
  const changed = { ...job, labels, policy };
  return Object.fromEntries(findChanges(values, base).map(({ key }) => [key, changed[key] ?? null]));
}

/** Carry the changes of a form over to a newer version of the job. */
export function rebase(values: JobValues, base: Job, newer: Job): JobValues {
  const mine = findChanges(values, base).map(({ key }) => [key, values[key]]);
  return { ...toJobValues(newer), ...Object.fromEntries(mine) };
}
