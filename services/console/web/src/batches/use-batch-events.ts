import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Operation } from "@/api/types";
import { hasEnded } from "./batch-state";
import { batchKeys } from "./queries";

/**
 * Follow the events of a batch while it runs. Returns whether they arrive; without them, the caller polls. The stream is
 * closed when the batch ends: else the browser would reconnect.
 */
export function useBatchEvents(id: string, isFollowed: boolean): boolean {
  const client = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (!isFollowed || typeof EventSource === "undefined") return;
    const source = new EventSource(`/api/operations/${encodeURIComponent(id)}/events`);
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

/** Write an event's state of a batch to the cache. At the end it is read again. */
function applyOperation(client: QueryClient, operation: Operation): void {
  const queryKey = batchKeys.detail(operation.id);
  client.setQueryData<Operation>(queryKey, (batch) => batch && { ...batch, ...operation });
  if (hasEnded(operation)) void client.invalidateQueries({ queryKey });
}
