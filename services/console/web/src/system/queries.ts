import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { ofTenant } from "@/api/tenants";
import type { DeadLetters, Overview } from "@/api/types";

const EVERY_MS = 10_000;

export const RANGES = ["1h", "6h", "24h", "7d"] as const;
export type Range = (typeof RANGES)[number];
export type OverviewSearch = { range?: Range };

/** Parse an address that may be typed by hand; without a range, the last hour is shown. */
export function parseOverviewSearch(raw: Record<string, unknown>): OverviewSearch {
  return RANGES.includes(raw.range as Range) ? { range: raw.range as Range } : {};
}

export function overviewQuery(range: Range, tenant: string | null) {
  return queryOptions({
    queryKey: ["overview", range, tenant],
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }): Promise<Overview> =>
      api.get("/api/overview", { query: { range, ...ofTenant(tenant) }, signal }),
  });
}

export function deadLettersQuery(includeDone: boolean) {
  return queryOptions({
    queryKey: ["dead-letters", includeDone],
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }): Promise<DeadLetters> =>
      api.get("/api/dead-letters", { query: includeDone ? { include_done: true } : {}, signal }),
  });
}
