import { stringifyJson } from "@/lib/exact-json";

/** Format a judge policy without its name and version, which its page and the service say. */
export function formatPolicy(policy: object): string {
  const { name: _, version: __, ...rest } = policy as { name?: string; version?: number };
  return stringifyJson(rest, 2);
}
