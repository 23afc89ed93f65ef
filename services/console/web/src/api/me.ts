import { queryOptions, useQuery } from "@tanstack/react-query";
import { api } from "./client";
import roles from "./roles.json";
import type { Me } from "./types";

/** Operations that change something, each with the roles that may ask for it in words: as the API's document says. */
export type Change = keyof typeof roles;

const STALE_MS = 60_000;

export const meQuery = queryOptions({
  queryKey: ["me"],
  staleTime: STALE_MS,
  queryFn: ({ signal }): Promise<Me> => api.get("/api/me", { signal }),
});

/** Who one is; undefined until that is read. */
export const useMe = (): Me | undefined => useQuery(meQuery).data;

export const describeTenants = ({ tenants, all_tenants }: Pick<Me, "tenants" | "all_tenants">) =>
  all_tenants ? "all tenants" : tenants.join(", ");

/**
 * Returns what explains why one may not ask for an operation, by the role that it needs; null where one may, or where
 * that is not known yet: the jobstore has the last word.
 */
export function useRefusal(): (change: Change) => string | null {
  const me = useMe();
  return (change) =>
    me === undefined || me.may.includes(change)
      ? null
      : `It needs the role ${roles[change]}; you are ${me.role} of ${describeTenants(me)}.`;
}
