import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { tenantsQuery } from "@/api/tenants";
import type { MadeToken, NewToken, Session } from "@/api/types";
import { accessKeys } from "./queries";

/** Change of who has access, after which a list is read again, and the sessions, which end with their tokens. */
function useAccessMutation<Change, Answer>(
  key: readonly string[],
  verb: string,
  mutationFn: (change: Change) => Promise<Answer>,
) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: [...key, verb],
    mutationFn,
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: key }),
        client.invalidateQueries({ queryKey: accessKeys.sessions }),
      ]),
  });
}

// A secret is answered once: a lost answer is a token to revoke, and none that a repeated request would give again.
export const useCreateToken = () =>
  useAccessMutation(
    accessKeys.tokens,
    "create",
    (body: NewToken): Promise<MadeToken> => api.post("/api/tokens", { body }),
  );

export const useRotateToken = () =>
  useAccessMutation(
    accessKeys.tokens,
    "rotate",
    ({ name, overlap_s }: { name: string; overlap_s: number }): Promise<MadeToken> =>
      api.post("/api/tokens/{name}/rotate", { path: { name }, body: { overlap_s } }),
  );

export const useRevokeToken = () =>
  useAccessMutation(accessKeys.tokens, "revoke", (name: string) =>
    api.delete("/api/tokens/{name}", { path: { name } }),
  );

export const useEndSession = () =>
  useAccessMutation(accessKeys.sessions, "end", ({ id }: Session) =>
    api.delete("/api/sessions/{session_id}", { path: { session_id: id } }),
  );

export const useCreateTenant = () =>
  useAccessMutation(tenantsQuery.queryKey, "create", (body: { name: string; title: string | null }) =>
    api.post("/api/tenants", { body }),
  );
