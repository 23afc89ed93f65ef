import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Batch, Operation } from "@/api/types";
import { hasEnded } from "./batch-state";
import { batchKeys } from "./queries";

/**
 * Follows a batch while it goes; the answer is whether events come, and without them whoever shows it asks now and
 * then. The stream ends with the batch, which a browser would take for a reason to come back.
 */
export function useBatchEvents(id: string, isFollowed: boolean): boolean {
  const client = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (!isFollowed || typeof EventSource === "undefined") return;
    const source = new EventSource(`/api/batches/${encodeURIComponent(id)}/events`);
    source.onopen = () => setOpen(true);
    source.onerror = () => setOpen(false);
    source.addEventListener("operation", (event) => {
      const operation = JSON.parse((event as MessageEvent<string>).data) as Operation;
      applyOperation(client, operation);
      if (hasEnded(operation)) source.close();
    });
    return () => {
      source.close();
      setOpen(false);
    };
  }, [client, id, isFollowed]);
  return isOpen;
}

/** The items change only when some are refused, and when all is over: only then is the whole batch read again. */
function applyOperation(client: QueryClient, operation: Operation): void {
  const queryKey = batchKeys.detail(operation.id);
  const known = client.getQueryData<Batch>(queryKey);
  client.setQueryData<Batch>(queryKey, (batch) => batch && { ...batch, ...operation });
  const refused = (known?.items ?? []).filter((item) => !item.accepted).length;
  if (hasEnded(operation) || (operation.counts.REFUSED ?? 0) > refused) void client.invalidateQueries({ queryKey });
}
