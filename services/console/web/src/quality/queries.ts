import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { ofTenant } from "@/api/tenants";
import type { Quality } from "@/api/types";
import type { QualitySearch } from "./search";

const EVERY_MS = 30_000;

/** Query of how much was accepted; polled, since it is counted a few seconds after what happens. */
export function qualityQuery(search: QualitySearch, tenant: string | null) {
  const { range = "7d", agent, judge, criterion } = search;
  const query = {
    range,
    ...(agent && { agent_id: agent }),
    ...(judge && { judge }),
    ...(criterion && { of_criterion: criterion }),
    ...ofTenant(tenant),
  };
  return queryOptions({
    queryKey: ["quality", query],
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }): Promise<Quality> => api.get("/api/quality", { query, signal }),
  });
}
