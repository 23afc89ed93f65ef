import type { Job, JobEdit } from "@/api/types";
import { stringifyJson } from "@/lib/exact-json";
import { formatCriteria } from "./criteria";
import { type JobValues, toJobValues, toLabels, toNewJob } from "./job-values";

/** What of a job can be changed while it rests. */
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

/** What a form asks for, whatever the ids of its lines. */
const toComparable = (values: JobValues) => ({
  ...values,
  acceptance_criteria: formatCriteria(values.acceptance_criteria),
  payload: values.payload.trim(),
  labels: toLabels(values),
});

/** What was filled in otherwise than the job has it. */
export function findChanges(values: JobValues, base: Job): Editable[] {
  const [now, before] = [toComparable(values), toComparable(toJobValues(base))];
  return EDITABLE.filter((name) => JSON.stringify(now[name]) !== JSON.stringify(before[name]));
}

/** What a job asks for in this, as a text. */
export function formatField(job: Job, name: Editable): string {
  const value = toComparable(toJobValues(job))[name];
  return typeof value === "string" ? value : stringifyJson(name === "policy" ? job.policy : value, 2);
}

/** The request that an edited form stands for: what was changed, and nothing else. */
export function toJobEdit(values: JobValues, base: Job): JobEdit {
  const job = toNewJob(values, base.policy);
  return Object.fromEntries(findChanges(values, base).map((name) => [name, job[name]]));
}

/** The form over a newer job: what was changed in it stays, the rest is the newer one's. */
export function rebase(values: JobValues, base: Job, newer: Job): JobValues {
  const mine = findChanges(values, base).map((name) => [name, values[name]]);
  return { ...toJobValues(newer), ...Object.fromEntries(mine) };
}
