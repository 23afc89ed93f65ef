import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Limit } from "@/api/types";

export const limitKeys = { all: ["limits"] as const };

export const limitsQuery = queryOptions({
  queryKey: limitKeys.all,
  queryFn: async ({ signal }): Promise<Limit[]> => (await api.get("/api/limits", { signal })).items,
});

/** The limit that holds for a name: its own, or that of all of its kind. */
export function findLimit(limits: readonly Limit[], name: string): Limit | undefined {
  const [kind] = name.split(":");
  return limits.find((limit) => limit.name === name) ?? limits.find((limit) => limit.name === `${kind}:*`);
}
