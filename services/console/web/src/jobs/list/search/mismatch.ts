import type { Job } from "@/api/types";
import { findCancelled, findCreatedAfter, type JobsSearch, parseLabel } from "./jobs-search";

/**
 * Explain which filter a job does not pass; null when it passes all, as far as its row tells. A row that no longer does
 * stays, dimmed, until the list is read again. By text and batch a row is not judged: words are found in what no row has,
 * and a batch keeps its jobs, also those that another one retried.
 */
export function explainMismatch(job: Job, search: JobsSearch, now: number): string | null {
  const { status, notStatus, agent, tenant, label = [] } = search;
  const isIn = (statuses?: readonly string[]) => statuses?.includes(job.status);
  if (status ? !isIn(status) : isIn(notStatus)) return "its status has changed";
  const cancelled = findCancelled(search);
  if (cancelled !== undefined && job.cancelled !== cancelled)
    return cancelled ? "it is not cancelled any more" : "it was cancelled";
  if (!passes(job.agent_id, agent, search.notAgent)) return "its agent has changed";
  if (!passes(job.tenant, tenant, search.notTenant)) return "its tenant has changed";
  if (job.live && asksHowItEnded(search)) return "it runs again";
  const created = Date.parse(job.created_at);
  if (created < Date.parse(findCreatedAfter(search, now) ?? job.created_at)) return "it was created earlier";
  if (search.to && created >= Date.parse(search.to)) return "it was created later";
  const has = (each: string) => hasLabel(job, each);
  return label.every(has) && !search.notLabel?.some(has) ? null : "its labels have changed";
}

const passes = (value: string | null | undefined, wanted: string | undefined, excluded: string[] | undefined) =>
  (!wanted || value === wanted) && !(value && excluded?.includes(value));

function hasLabel(job: Job, label: string): boolean {
  const [name, value] = parseLabel(label);
  return job.labels?.[name] === value;
}

/** Whether a filter is about the end of the last execution: no event tells of its code, criteria or duration. */
function asksHowItEnded({ code, criterion, costMin, costMax, durationMin, durationMax }: JobsSearch): boolean {
  return [code, criterion, costMin, costMax, durationMin, durationMax].some((value) => value !== undefined);
}
