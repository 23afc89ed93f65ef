import { useRef } from "react";
import type { Job } from "@/api/types";
import type { JobsSearch, Sort } from "./filters";

const BY: Record<Sort, (job: Job) => string> = {
  created: (job) => job.created_at,
  updated: (job) => job.updated_at,
  title: (job) => job.title.toLowerCase(),
  status: (job) => job.status,
  agent: (job) => job.agent_id ?? "",
};

/**
 * The rows in the order asked for, decided when the list is read or the order changes and kept until then: what
 * happens to a job changes its row, and moves none.
 */
export function useOrdered(jobs: readonly Job[], { sort, ascending }: JobsSearch): Job[] {
  const ids = jobs.map((job) => job.id).join("\n");
  const key = `${sort}/${ascending}/${ids}`;
  const kept = useRef<{ key: string; ids: string[] }>({ key: "", ids: [] });
  if (kept.current.key !== key) kept.current = { key, ids: sorted(jobs, sort, ascending).map((job) => job.id) };
  const byId = new Map(jobs.map((job) => [job.id, job]));
  return kept.current.ids.flatMap((id) => byId.get(id) ?? []);
}

function sorted(jobs: readonly Job[], sort: Sort | undefined, ascending: boolean | undefined): readonly Job[] {
  if (!sort) return jobs;
  const by = BY[sort];
  const sign = ascending ? 1 : -1;
  return jobs.toSorted((a, b) => sign * (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0));
}
