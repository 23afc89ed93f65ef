import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { judgeKeys } from "@/api/judges";
import type { NamedJudgePolicy, SavedCriteriaSet, SavedJudgePolicy } from "@/api/types";

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
type NewPolicy = { name: string; newest?: number; policy: unknown; note?: string };

export const usePutPolicy = () =>
  useJudgeMutation(
    "put",
    ({ name, newest, ...body }: NewPolicy): Promise<SavedJudgePolicy> =>
      api.put("/api/judges/{name}", { path: { name }, body, ifMatch: newest }),
  );

type NewSet = { name: string; newest?: number; acceptance_criteria: string; note?: string };

export const usePutSet = () =>
  useJudgeMutation(
    "put-set",
    ({ name, newest, ...body }: NewSet): Promise<SavedCriteriaSet> =>
      api.put("/api/criteria-sets/{name}", { path: { name }, body, ifMatch: newest }),
  );

type Promotion = { name: string; version: number; force_reason?: string };

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
