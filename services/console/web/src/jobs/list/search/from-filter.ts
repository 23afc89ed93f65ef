import type { Schemas } from "@/api/types";
import { type JobsSearch, withoutUndefined } from "./jobs-search";
import { parseJobsSearch } from "./parse-address";

/** Names of filters that are a list and no plural by an s. */
const SINGULARS: Record<string, string> = { statuses: "status", not_criteria_not_met: "not_criterion_not_met" };

/** Convert a filter, as operations and answers have it, to the search of the list that shows the same jobs. */
export function fromFilter({ labels, ...filter }: Schemas["JobFilter"]): JobsSearch {
  const others = Object.entries(filter).map(([name, value]) => [
    Array.isArray(value) ? (SINGULARS[name] ?? name.replace(/s$/, "")) : name,
    Array.isArray(value) ? value : value == null ? undefined : String(value),
  ]);
  const label = Object.entries(labels ?? {}).map(([name, value]) => `${name}:${value}`);
  return withoutUndefined(parseJobsSearch({ ...Object.fromEntries(others), label }));
}
