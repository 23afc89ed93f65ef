import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import type { Operation } from "@/api/types";
import type { BatchAction } from "./batch-state";
import { batchKeys } from "./queries";

const PATHS = {
  pause: "/api/operations/{operation_id}/pause",
  resume: "/api/operations/{operation_id}/resume",
  cancel: "/api/operations/{operation_id}/cancel",
} as const;

type BatchRequest = { action: BatchAction; reason?: string };

/** Send an action on a batch. A retry is answered with a new batch. */
export function useBatchAction(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["batches", "act"],
    mutationFn: ({ action, reason }: BatchRequest): Promise<Operation> => {
      const path = { operation_id: id };
      if (action !== "retry")
        return api.post(PATHS[action], { path, body: action === "cancel" ? { reason } : undefined });
      return withIdempotencyKey(`retry/${id}`, (idempotencyKey) =>
        api.post("/api/operations/{operation_id}/retry", { path, idempotencyKey }),
      );
    },
    onSuccess: (operation) => {
      client.setQueryData<Operation>(batchKeys.detail(operation.id), (known) => known && { ...known, ...operation });
      void client.invalidateQueries({ queryKey: batchKeys.list });
    },
  });
}
