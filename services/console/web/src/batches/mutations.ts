import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { withIdempotencyKey } from "@/api/idempotency";
import { readAll } from "@/api/pages";
import type { NewOperation, Operation } from "@/api/types";
import type { BatchAction } from "./batch-state";
import { batchKeys } from "./queries";

const PATHS = {
  pause: "/api/operations/{operation_id}/pause",
  resume: "/api/operations/{operation_id}/resume",
  cancel: "/api/operations/{operation_id}/cancel",
} as const;

type BatchRequest = { action: BatchAction; reason?: string };

/** Send an action on a batch. A retry, and what executes again what was cancelled, is answered with a new batch. */
export function useBatchAction(batch: Operation) {
  const client = useQueryClient();
  const { id } = batch;
  return useMutation({
    mutationKey: ["batches", "act"],
    mutationFn: async ({ action, reason }: BatchRequest): Promise<Operation> => {
      const path = { operation_id: id };
      if (action === "again") {
        const body: NewOperation = { kind: "execute", ...(await findCancelled(batch)) };
        return withIdempotencyKey(`again/${id}`, (idempotencyKey) =>
          api.post("/api/operations", { body, idempotencyKey }),
        );
      }
      if (action !== "retry")
        return api.post(PATHS[action], { path, body: action === "cancel" ? { reason } : undefined });
      return withIdempotencyKey(`retry/${id}`, (idempotencyKey) =>
        api.post("/api/operations/{operation_id}/retry", { path, idempotencyKey }),
      );
    },
    onSuccess: (operation) => {
      client.setQueryData<Operation>(batchKeys.detail(operation.id), (known) => known && { ...known, ...operation });
      void client.invalidateQueries({ queryKey: ["batches"] });
    },
  });
}

/** Find what an operation cancelled. Of a batch these are also jobs that it never asked for, which no filter tells. */
async function findCancelled({ id, kind }: Operation): Promise<Pick<NewOperation, "filter" | "job_ids">> {
  if (kind === "cancel") return { filter: { batch_id: id, cancelled: true } };
  const items = await readAll((page) =>
    api.get("/api/operations/{operation_id}/items", {
      path: { operation_id: id },
      query: { outcome: ["CANCELLED"], ...page },
    }),
  );
  return { job_ids: items.map((item) => item.job_id) };
}
