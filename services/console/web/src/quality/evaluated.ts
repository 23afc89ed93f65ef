import { useQueries } from "@tanstack/react-query";
import { judgeQuery } from "@/api/judges";
import type { QualityOf } from "@/api/types";
import { formatCount } from "@/lib/format";

/** Policies whose evaluations are read. */
const POLICIES_MAX = 12;

/** Split the name of a version, such as `strict@3`. */
export function splitReference(reference: string): { name: string; version?: number } {
  const [name = reference, version] = reference.split("@");
  return { name, ...(version && { version: Number(version) }) };
}

type Right = { right: number; of: number };

/** Read how often versions were right on labelled cases, by the version. */
export function useEvaluations(judges: readonly QualityOf[]): ReadonlyMap<string, Right> {
  const names = [...new Set(judges.map(({ name }) => splitReference(name).name))].slice(0, POLICIES_MAX);
  const policies = useQueries({ queries: names.map((name) => ({ ...judgeQuery(name), retry: false })) });
  const found = new Map<string, Right>();
  for (const { data } of policies) {
    for (const { version, evaluation } of data?.versions ?? []) {
      if (!evaluation) continue;
      const { true_accepts, true_rejects, false_accepts, false_rejects } = evaluation.overall;
      const right = true_accepts + true_rejects;
      found.set(`${data?.name}@${version}`, { right, of: right + false_accepts + false_rejects });
    }
  }
  return found;
}

export const shareRight = (one?: Right) => (one && one.of > 0 ? one.right / one.of : null);
export const describeRight = (one?: Right) =>
  one ? `${formatCount(one.right)} of ${formatCount(one.of)}` : "not evaluated";
