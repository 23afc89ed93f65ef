import type { AuditQuery } from "@/api/types";

/** What is searched for in the audit, as the address has it: moments are ISO 8601. */
export type AuditSearch = {
  actor?: string;
  action?: string;
  tenant?: string;
  outcome?: "done" | "refused";
  since?: string;
  until?: string;
};

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const moment = (value: unknown) => (Number.isNaN(Date.parse(text(value) ?? "")) ? undefined : text(value));

/** Read the search from an address; what is no such value is left out. */
export function parseAuditSearch({
  actor,
  action,
  tenant,
  outcome,
  since,
  until,
}: Record<string, unknown>): AuditSearch {
  return {
    actor: text(actor),
    action: text(action),
    tenant: text(tenant),
    outcome: outcome === "done" || outcome === "refused" ? outcome : undefined,
    since: moment(since),
    until: moment(until),
  };
}

/** Convert the search to the API's query, which takes several of each. */
export function toAuditQuery({ actor, action, tenant, outcome, since, until }: AuditSearch): AuditQuery {
  return {
    actor: actor ? [actor] : [],
    action: action ? [action] : [],
    tenant: tenant ? [tenant] : [],
    outcome: outcome ? [outcome] : [],
    since,
    until,
  };
}
