import type { Job, JobPatch } from "@/api/types";
import { stringifyJson } from "@/lib/exact-json";
import { makePatch } from "@/lib/merge-patch";
import { formatCriteria } from "./criteria";
import { type JobValues, toJobValues, toLabels, toNewJob } from "./job-values";

/** Fields of a job that can be edited while it is not being executed. */
const EDITABLE = ["title", "description", "acceptance_criteria", "payload", "priority", "labels", "policy"] as const;
export type Editable = (typeof EDITABLE)[number];

export const EDITABLE_NAMES: Record<Editable, string> = {
  title: "title",
  description: "description",
  acceptance_criteria: "criteria",
  payload: "payload",
  priority: "priority",
  labels: "labels",
  policy: "policy",
};

/** Reduce a form's values to what is compared: without ids of lines. */
const toComparable = (values: JobValues) => ({
  ...values,
  acceptance_criteria: formatCriteria(values.acceptance_criteria),
  payload: values.payload.trim(),
  labels: toLabels(values),
});

/** Find the fields whose values differ from the job's. */
export function findChanges(values: JobValues, base: Job): Editable[] {
  const [now, before] = [toComparable(values), toComparable(toJobValues(base))];
  return EDITABLE.filter((name) => JSON.stringify(now[name]) !== JSON.stringify(before[name]));
}

/** Format a job's field as text. */
export function formatField(job: Job, name: Editable): string {
  const value = toComparable(toJobValues(job))[name];
  return typeof value === "string" ? value : stringifyJson(name === "policy" ? job.policy : value, 2);
}

/** Build the request of an edit: the changed fields only, and of labels and policy the changed members. */
export function toJobPatch(values: JobValues, base: Job): JobPatch {
  const job = toNewJob(values, base.policy);
  const { labels = {}, policy = {} } = makePatch(base, job) as JobPatch;
  const changed = { ...job, labels, policy };
  return Object.fromEntries(findChanges(values, base).map((name) => [name, changed[name]]));
}

/** Carry the changes of a form over to a newer version of the job. */
export function rebase(values: JobValues, base: Job, newer: Job): JobValues {
  const mine = findChanges(values, base).map((name) => [name, values[name]]);
  return { ...toJobValues(newer), ...Object.fromEntries(mine) };
}
