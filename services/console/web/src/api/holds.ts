import { queryOptions, useQuery } from "@tanstack/react-query";
import { api } from "./client";
import { readAll } from "./pages";
import { ofTenant } from "./tenants";
import type { Hold } from "./types";

const STALE_MS = 30_000; // no event tells of a hold

export const holdKeys = { all: ["holds"] as const };

/** Query of the jobs of a tenant that are held; null: of all that one may see. Few are. */
export const holdsQuery = (tenant: string | null) =>
  queryOptions({
    queryKey: [...holdKeys.all, tenant],
    staleTime: STALE_MS,
    queryFn: ({ signal }): Promise<Hold[]> =>
      readAll((page) => api.get("/api/holds", { query: { ...page, ...ofTenant(tenant) }, signal })),
  });

/** The hold of a job; undefined where none is known. */
export const useHold = (jobId: string): Hold | undefined =>
  useQuery(holdsQuery(null)).data?.find(({ job_id: held }) => held === jobId);
