import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { readAll } from "@/api/pages";
import type { AccessToken, AuditEntry, Page, Session } from "@/api/types";
import { type AuditSearch, toAuditQuery } from "./audit-search";

const PAGE_SIZE = 100;

export const accessKeys = { tokens: ["tokens"], sessions: ["sessions"] } as const;

export const tokensQuery = (include_ended: boolean) =>
  queryOptions({
    queryKey: [...accessKeys.tokens, include_ended],
    queryFn: ({ signal }): Promise<AccessToken[]> =>
      readAll((page) => api.get("/api/tokens", { query: { ...page, include_ended }, signal })),
  });

export const sessionsQuery = queryOptions({
  queryKey: accessKeys.sessions,
  queryFn: ({ signal }): Promise<Session[]> => readAll((page) => api.get("/api/sessions", { query: page, signal })),
});

/** Query of the audit, page by page; what is done meanwhile is seen when it is asked for again. */
export const auditQuery = (search: AuditSearch) =>
  infiniteQueryOptions({
    queryKey: ["audit", search],
    staleTime: 0,
    queryFn: ({ pageParam, signal }): Promise<Page<AuditEntry>> =>
      api.get("/api/audit", {
        query: { ...toAuditQuery(search), page_size: PAGE_SIZE, page_token: pageParam },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
