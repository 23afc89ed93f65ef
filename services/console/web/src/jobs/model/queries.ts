import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { jobKeys } from "@/api/query-keys";
import type { Job } from "@/api/types";

export function jobQuery(id: string) {
  return queryOptions({
    queryKey: jobKeys.detail(id),
    queryFn: ({ signal }): Promise<Job> => api.get("/api/jobs/{job_id}", { path: { job_id: id }, signal }),
  });
}
