import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { readAll } from "@/api/pages";
import type { Limit } from "@/api/types";

export const limitKeys = { all: ["limits"] as const };

export const limitsQuery = queryOptions({
  queryKey: limitKeys.all,
  queryFn: ({ signal }): Promise<Limit[]> => readAll((page) => api.get("/api/limits", { query: page, signal })),
});

/** Find the limit that applies to a name: its own, or that of its kind (`agent:*`). */
export function findLimit(limits: readonly Limit[], name: string): Limit | undefined {
  const [kind] = name.split(":");
  return limits.find((limit) => limit.name === name) ?? limits.find((limit) => limit.name === `${kind}:*`);
}
