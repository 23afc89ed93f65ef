import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { judgeKeys } from "@/api/judges";
import type { NamedJudgePolicy, SavedCriteriaSet, SavedJudgePolicy } from "@/api/types";
import { toast } from "@/ui/feedback/toast";

/** Change of a name, after which all names are read again. */
function useJudgeMutation<Change, Answer>(name: string, mutationFn: (change: Change) => Promise<Answer>) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["judges", name],
    mutationFn,
    onSuccess: () => client.invalidateQueries({ queryKey: judgeKeys.all }),
  });
}

/** `newest`: the version that was seen; where there is a newer one by now, nothing is saved. */
export type NewVersion = { name: string; newest?: number; note?: string };

export const usePutPolicy = () =>
  useJudgeMutation(
    "put",
    async ({ name, newest, ...body }: NewVersion & { policy: object }): Promise<SavedJudgePolicy> => {
      const saved = await api.put("/api/judges/{name}", { path: { name }, body, ifMatch: newest });
      for (const { message } of saved.warnings ?? []) toast("Look at this", message);
      return saved;
    },
  );

export const usePutSet = () =>
  useJudgeMutation(
    "put-set",
    ({ name, newest, ...body }: NewVersion & { acceptance_criteria: string }): Promise<SavedCriteriaSet> =>
      api.put("/api/criteria-sets/{name}", { path: { name }, body, ifMatch: newest }),
  );

type Promotion = { name: string; version: number; report?: object; force_reason?: string };

export const usePromote = () =>
  useJudgeMutation(
    "promote",
    ({ name, ...body }: Promotion): Promise<NamedJudgePolicy> =>
      api.post("/api/judges/{name}/promote", { path: { name }, body }),
  );

export const useRetire = () =>
  useJudgeMutation(
    "retire",
    ({ name, reason }: { name: string; reason?: string }): Promise<NamedJudgePolicy> =>
      api.post("/api/judges/{name}/retire", { path: { name }, body: { reason } }),
  );
