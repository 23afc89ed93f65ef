import type { Retention, RetentionEffect } from "@/api/types";
import { lookOf } from "@/jobs/model/status";
import { pluralize } from "@/lib/format";
import { formatSpan } from "./spans";

/** What a retention says for how long it is kept, by field, in the order of the form. */
export const KEPT_FIELDS = [
  ["completed_s", "Completed"],
  ["failed_s", "Failed"],
  ["rejected_s", "Rejected"],
  ["resubmission_required_s", "Resubmission required"],
  ["cancelled_s", "Cancelled"],
  ["operations_s", "Operations"],
] as const satisfies readonly (readonly [keyof Retention, string])[];

export type KeptField = (typeof KEPT_FIELDS)[number][0];

/** Name of whom a retention is of. */
export function describeRetentionName(name: string): string {
  const tenant = name.replace(/^tenant:/, "");
  return tenant === "*" ? "Each tenant" : `Tenant ${tenant}`;
}

/** Describe for how long what is kept: "completed 90d, failed 180d". */
export function describeRetention(retention: Retention): string {
  const said = KEPT_FIELDS.flatMap(([field, word]) => {
    const seconds = retention[field];
    return seconds == null ? [] : [`${word.toLowerCase()} ${formatSpan(seconds)}`];
  });
  return said.join(", ") || "all for ever";
}

/** Name a kind of what goes: jobs by their status, or operations. */
export const describeKind = (kind: string) => (kind === "OPERATION" ? "Operations" : lookOf(kind).word);

/** Describe how many of what go: "300 completed, 12 failed, 3 operations". */
export function describeCounts({ counts, operations }: Pick<RetentionEffect, "counts" | "operations">): string {
  const jobs = Object.entries(counts).filter(([, number]) => number > 0);
  return [
    ...jobs.map(([kind, number]) => `${number.toLocaleString("en-US")} ${describeKind(kind).toLowerCase()}`),
    ...(operations > 0 ? [pluralize(operations, "operation")] : []),
  ].join(", ");
}
