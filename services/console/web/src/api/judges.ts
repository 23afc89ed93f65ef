import { queryOptions } from "@tanstack/react-query";
import { api } from "./client";
import { ofTenant } from "./tenants";
import type { Judges, NamedCriteriaSet, NamedJudgePolicy } from "./types";

/** Names that are read at once: more than anybody keeps. */
const NAMES_MAX = 500;

export const judgeKeys = {
  all: ["judges"] as const,
  list: ["judges", "list"] as const,
  policy: (name: string) => ["judges", "policy", name] as const,
  sets: ["judges", "sets"] as const,
  set: (name: string) => ["judges", "set", name] as const,
};

/** Query of the judge policies by name, each with its current version and without its body; and of the validators. */
export const judgesQuery = (tenant: string | null) =>
  queryOptions({
    queryKey: [...judgeKeys.list, tenant],
    queryFn: ({ signal }): Promise<Judges> =>
      api.get("/api/judges", { query: { page_size: NAMES_MAX, ...ofTenant(tenant) }, signal }),
  });

/** Query of one judge policy with its newest versions. */
export function judgeQuery(name: string) {
  return queryOptions({
    queryKey: judgeKeys.policy(name),
    queryFn: ({ signal }): Promise<NamedJudgePolicy> => api.get("/api/judges/{name}", { path: { name }, signal }),
  });
}

/** Query of the criteria sets by name, each with its current version and without its criteria. */
export const setsQuery = (tenant: string | null) =>
  queryOptions({
    queryKey: [...judgeKeys.sets, tenant],
    queryFn: async ({ signal }): Promise<NamedCriteriaSet[]> =>
      (await api.get("/api/criteria-sets", { query: { page_size: NAMES_MAX, ...ofTenant(tenant) }, signal })).items,
  });

/** Query of one criteria set with its newest versions. */
export function setQuery(name: string) {
  return queryOptions({
    queryKey: judgeKeys.set(name),
    queryFn: ({ signal }): Promise<NamedCriteriaSet> =>
      api.get("/api/criteria-sets/{name}", { path: { name }, signal }),
  });
}
