import type { Job } from "@/api/types";
import { FILTERS, type Filter } from "@/jobs/fields";
import { findCancelled, findCreatedAfter, isSet, type JobsSearch, negate, parseLabel, valuesOf } from "./jobs-search";

/**
 * Explain which filter a job does not pass; null when it passes all, as far as its row tells. A row that no longer does
 * stays, dimmed, until the list is read again. By text a row is not judged: words are found in what no row has.
 */
export function explainMismatch(job: Job, search: JobsSearch, now: number): string | null {
  const { status, notStatus } = search;
  const isIn = (statuses?: readonly string[]) => statuses?.includes(job.status);
  if (status ? !isIn(status) : isIn(notStatus)) return "its status has changed";
  const cancelled = findCancelled(search);
  if (cancelled !== undefined && job.cancelled !== cancelled)
    return cancelled ? "it is not cancelled any more" : "it was cancelled";
  const missed = FILTERS.find((filter) => filter.by === "value" && !passes(job, filter, search));
  if (missed) return missed.kind === "labels" ? "its labels have changed" : `its ${missed.word} has changed`;
  // No event tells how an execution ended: its code, criteria or duration.
  if (job.live && FILTERS.some((filter) => filter.by === "ending" && isSet(search, filter))) return "it runs again";
  if (search.reason && !mayWait(job)) return "it does not wait any more";
  const created = Date.parse(job.created_at);
  if (created < Date.parse(findCreatedAfter(search, now) ?? job.created_at)) return "it was created earlier";
  return search.to && created >= Date.parse(search.to) ? "it was created later" : null;
}

/** Whether a job has asked for something that is not done; why it waits, no event tells. */
const mayWait = ({ live, status }: Job) => live || status === "PENDING";

function passes(job: Job, { word, key, kind }: Filter, search: JobsSearch): boolean {
  const has = (value: string) => {
    if (kind !== "labels") return job[key] === value;
    const [name, labelled] = parseLabel(value);
    return job.labels?.[name] === labelled;
  };
  return valuesOf(search, word).every(has) && !valuesOf(search, negate(word)).some(has);
}
