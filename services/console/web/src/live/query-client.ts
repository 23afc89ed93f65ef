import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError, isTransient } from "@/api/problem";
import { jobKeys } from "@/api/query-keys";
import { liveStatus } from "./live-status";
import { mergeByVersion } from "./merge-by-version";

const RETRIES_MAX = 2;
const STALE_MS = 30_000;

/** Return after how many milliseconds data is stale: never while events arrive. */
function staleTime(): number {
  return liveStatus.get().state === "live" ? Number.POSITIVE_INFINITY : STALE_MS;
}

/** Create the query client, which holds all server state. */
export function createQueryClient(onUnauthenticated: () => void = () => undefined): QueryClient {
  const onError = (error: Error) => {
    if (error instanceof ApiError && error.isUnauthenticated) onUnauthenticated();
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime,
        refetchOnWindowFocus: false,
        retry: (failures, error) => isTransient(error) && failures < RETRIES_MAX,
      },
      mutations: { retry: false },
    },
  });
  client.setQueryDefaults(jobKeys.all, { structuralSharing: mergeByVersion });
  return client;
}
