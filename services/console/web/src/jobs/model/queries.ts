import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { jobKeys } from "@/api/query-keys";
import type { Job, Waiting } from "@/api/types";

export function jobQuery(id: string) {
  return queryOptions({
    queryKey: jobKeys.detail(id),
    queryFn: ({ signal }): Promise<Job> => api.get("/api/jobs/{job_id}", { path: { job_id: id }, signal }),
  });
}

const WAITING_EVERY_MS = 5_000;

/** Query of why a job waits, asked again while somebody looks: no event tells of others that free its place. */
export function waitingQuery({ id, version }: Pick<Job, "id" | "version">) {
  return queryOptions({
    queryKey: jobKeys.waiting(id, version),
    refetchInterval: WAITING_EVERY_MS,
    retry: false,
    queryFn: ({ signal }): Promise<Waiting> => api.get("/api/jobs/{job_id}/waiting", { path: { job_id: id }, signal }),
  });
}
