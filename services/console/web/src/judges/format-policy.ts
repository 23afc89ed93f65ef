import { isBranch, stringifyJson } from "@/lib/exact-json";

/** Format a judge policy without its name and version, which its page and the service say, and without what is not set. */
export function formatPolicy(policy: object): string {
  const { name: _, version: __, ...rest } = policy as { name?: string; version?: number };
  return stringifyJson(withoutUnset(rest), 2);
}

function withoutUnset(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUnset);
  if (!isBranch(value)) return value;
  const said = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(said.map(([key, each]) => [key, withoutUnset(each)]));
}
