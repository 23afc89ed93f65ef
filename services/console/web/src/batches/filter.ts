import type { Schemas } from "@/api/types";

type JobFilter = Schemas["JobFilter"];

/** Names of filters that are a list and no plural by an s. */
const SINGULARS: Record<string, string> = { statuses: "status", not_criteria_not_met: "not_criterion_not_met" };

/** List what a filter asks for, by the names that the list's address takes as well as its own. */
function listAsked({ labels, ...filter }: JobFilter): [name: string, values: string[]][] {
  const label = Object.entries(labels ?? {}).map(([name, value]) => `${name}:${value}`);
  const others = Object.entries(filter).map(([name, value]): [string, string[]] => [
    Array.isArray(value) ? (SINGULARS[name] ?? name.replace(/s$/, "")) : name,
    value == null ? [] : [value].flat().map(String),
  ]);
  return [...others, ["label", label] as [string, string[]]].filter(([, values]) => values.length > 0);
}

/** Convert a filter to the search of the address that lists the same jobs. */
export const toAddress = (filter: JobFilter): object => Object.fromEntries(listAsked(filter));

/** Describe a filter in words, with agents by name. */
export function describeFilter(filter: JobFilter, nameOf: (id: string) => string): string {
  return listAsked(filter)
    .map(([name, values]) => {
      const words = name.includes("agent_id") ? values.map(nameOf) : values;
      return `${name.replace(/_id$/, "").replaceAll("_", " ")} ${words.join(" or ")}`;
    })
    .join(", ");
}
