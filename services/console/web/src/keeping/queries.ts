import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { readAll } from "@/api/pages";
import { ofTenant } from "@/api/tenants";
import type { Kept, Retention, RetentionPatch, RetentionPreview } from "@/api/types";

const EVERY_MS = 30_000;

export const keptKeys = { retentions: ["retentions"] as const, kept: ["kept"] as const };

/** Query of the retentions of a tenant; null: of all that one may see. */
export const retentionsQuery = (tenant: string | null) =>
  queryOptions({
    queryKey: [...keptKeys.retentions, tenant],
    queryFn: ({ signal }): Promise<Retention[]> =>
      readAll((page) => api.get("/api/retentions", { query: { ...page, ...ofTenant(tenant) }, signal })),
  });

/** Query of what is kept: counted anew now and then, while somebody looks. */
export const keptQuery = queryOptions({
  queryKey: keptKeys.kept,
  refetchInterval: EVERY_MS,
  queryFn: ({ signal }): Promise<Kept> => api.get("/api/kept", { signal }),
});

/** Query of what a change would let go: read once, when it is asked. */
export const previewQuery = (name: string, change: RetentionPatch) =>
  queryOptions({
    queryKey: ["retention-preview", name, change],
    staleTime: 0,
    gcTime: 0,
    retry: false,
    queryFn: ({ signal }): Promise<RetentionPreview> =>
      api.post("/api/retentions/preview", { body: { name, ...change }, signal }),
  });
