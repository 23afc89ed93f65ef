import roles from "@/api/roles.json";
import type { Me } from "@/api/types";

/** The administrator of all. */
export const aMe = (fields: Partial<Me> = {}): Me => ({
  name: "bootstrap",
  actor: "token:bootstrap",
  role: "administrator",
  tenants: [],
  all_tenants: true,
  may: [
    ...Object.keys(roles),
    "list_dead_letters",
    "get_kept",
    "list_tokens",
    "list_sessions",
    "list_tenants",
    "list_audit",
    "export_audit",
  ],
  ...fields,
});

/** Somebody who may read what is of one tenant. */
export const aViewer = (fields: Partial<Me> = {}): Me =>
  aMe({
    name: "eve",
    actor: "token:eve",
    role: "viewer",
    tenants: ["press"],
    all_tenants: false,
    may: ["list_jobs", "list_sessions", "list_tenants", "end_session"],
    ...fields,
  });
