import { queryOptions, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { createObservable } from "@/lib/observable";
import { api } from "./client";
import { useMe } from "./me";
import { readAll } from "./pages";
import type { Tenant } from "./types";

/** The choice is this tab's: another may show another tenant. */
const KEY = "signoff.tenant";
const chosen = createObservable<string | null>(sessionStorage.getItem(KEY));

export const tenantsQuery = queryOptions({
  queryKey: ["tenants"],
  queryFn: ({ signal }): Promise<Tenant[]> => readAll((page) => api.get("/api/tenants", { query: page, signal })),
});

/** Choose the tenant whose jobs, agents and batches are shown, and that new ones are of; null: all that one is of. */
export function chooseTenant(name: string | null): void {
  if (name === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, name);
  chosen.set(name);
}

/** Names of the tenants that one is of; empty until they are read. */
export function useTenantNames(): readonly string[] {
  const me = useMe();
  const all = useQuery({ ...tenantsQuery, enabled: me?.all_tenants === true }).data;
  return (me?.all_tenants ? all?.map(({ name }) => name) : me?.tenants) ?? [];
}

/** The chosen tenant; null where none is, or one is of it no more. */
export function useTenant(): string | null {
  const name = useSyncExternalStore(chosen.subscribe, chosen.get);
  const me = useMe();
  return name !== null && (me === undefined || me.all_tenants || me.tenants.includes(name)) ? name : null;
}

/** The choice as a query has it: the server shows what is of the tenant, and of all that one is of without it. */
export const ofTenant = (tenant: string | null) => (tenant === null ? {} : { tenant });

/** The tenant that a new thing is of unless another is named: the chosen one, or the only one; else the jobstore's own. */
export function useTenantOfNew(): string {
  const tenant = useTenant();
  const me = useMe();
  if (tenant !== null || me === undefined || me.all_tenants) return tenant ?? "default";
  return me.tenants.length === 1 ? (me.tenants[0] ?? "") : "";
}
