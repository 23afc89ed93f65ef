import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { readAll } from "@/api/pages";
import { ofTenant } from "@/api/tenants";
import type { Limit } from "@/api/types";

export const limitKeys = { all: ["limits"] as const };

/** Query of the limits of a tenant and its agents; null: of all that one may see. */
export const limitsQuery = (tenant: string | null) =>
  queryOptions({
    queryKey: [...limitKeys.all, tenant],
    queryFn: ({ signal }): Promise<Limit[]> =>
      readAll((page) => api.get("/api/limits", { query: { ...page, ...ofTenant(tenant) }, signal })),
  });

/** Find the limit that applies to a name: its own, or that of its kind (`agent:*`). */
export function findLimit(limits: readonly Limit[], name: string): Limit | undefined {
  const [kind] = name.split(":");
  return limits.find((limit) => limit.name === name) ?? limits.find((limit) => limit.name === `${kind}:*`);
}
