import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Limit, NewLimit } from "@/api/types";
import { limitKeys } from "./queries";

/** Returns how to read agents and limits again: a change of either may change what is shown of both. */
export function useRefetchLimited() {
  const client = useQueryClient();
  return () =>
    Promise.all([
      client.invalidateQueries({ queryKey: ["agents"] }),
      client.invalidateQueries({ queryKey: limitKeys.all }),
    ]);
}

export function useSetLimit() {
  const onSuccess = useRefetchLimited();
  return useMutation({
    mutationKey: ["limits", "set"],
    mutationFn: ({ name, ...body }: NewLimit & { name: string }): Promise<Limit> =>
      api.put("/api/limits/{name}", { path: { name }, body }),
    onSuccess,
  });
}

export function useRemoveLimit() {
  const onSuccess = useRefetchLimited();
  return useMutation({
    mutationKey: ["limits", "remove"],
    mutationFn: (name: string) => api.delete("/api/limits/{name}", { path: { name } }),
    onSuccess,
  });
}
