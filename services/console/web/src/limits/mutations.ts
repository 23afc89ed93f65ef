import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Limit, LimitPatch, NewLimit } from "@/api/types";
import { makePatch } from "@/lib/merge-patch";
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

/** Sets a limit, or changes fields of one as it was seen. */
export function useSetLimit(base?: Limit) {
  const onSuccess = useRefetchLimited();
  return useMutation({
    mutationKey: ["limits", "set"],
    mutationFn: ({ name, ...body }: NewLimit & { name: string }): Promise<Limit> =>
      base === undefined
        ? api.put("/api/limits/{name}", { path: { name }, body })
        : api.patch("/api/limits/{name}", { path: { name }, body: toPatch(base, body), ifMatch: base.version }),
    onSuccess,
  });
}

export function useRemoveLimit() {
  const onSettled = useRefetchLimited();
  return useMutation({
    mutationKey: ["limits", "remove"],
    mutationFn: ({ name, version }: Limit) => api.delete("/api/limits/{name}", { path: { name }, ifMatch: version }),
    onSettled,
  });
}

/** Make the patch of a limit as the form has it: what only answers have does not change. */
function toPatch(limit: Limit, values: NewLimit): LimitPatch {
  const { name: _, version: __, updated_at: ___, agents_usd: ____, judges_usd: _____, ...base } = limit;
  return makePatch(base, values);
}
