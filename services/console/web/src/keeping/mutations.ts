import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { NewRetention, Retention, RetentionPatch } from "@/api/types";
import { makePatch } from "@/lib/merge-patch";
import { KEPT_FIELDS } from "./describe-kept";
import { keptKeys } from "./queries";

/** Return how to read retentions, and what is kept by them, again. */
function useRefetchKept() {
  const client = useQueryClient();
  return () => Promise.all(Object.values(keptKeys).map((queryKey) => client.invalidateQueries({ queryKey })));
}

/** Make the patch of a retention as the form has it; of a new one, all that it says. */
export function toPatch(base: Retention | undefined, values: NewRetention): RetentionPatch {
  const before = Object.fromEntries(KEPT_FIELDS.map(([field]) => [field, base?.[field]]));
  return base ? makePatch(before, values) : values;
}

/** Sets a retention, or changes fields of one as it was seen. */
export function useSetRetention(base?: Retention) {
  const onSuccess = useRefetchKept();
  return useMutation({
    mutationKey: ["retentions", "set"],
    mutationFn: ({ name, ...body }: NewRetention & { name: string }): Promise<Retention> =>
      base === undefined
        ? api.put("/api/retentions/{name}", { path: { name }, body })
        : api.patch("/api/retentions/{name}", { path: { name }, body: toPatch(base, body), ifMatch: base.version }),
    onSuccess,
  });
}

export function useDeleteRetention() {
  const onSettled = useRefetchKept();
  return useMutation({
    mutationKey: ["retentions", "delete"],
    mutationFn: ({ name, version }: Retention) =>
      api.delete("/api/retentions/{name}", { path: { name }, ifMatch: version }),
    onSettled,
  });
}
