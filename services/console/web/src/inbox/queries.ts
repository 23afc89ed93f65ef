import {
  type InfiniteData,
  type QueryClient,
  type QueryFunctionContext,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { api } from "@/api/client";
import { jobKeys } from "@/api/query-keys";
import { ofTenant } from "@/api/tenants";
import type { Inbox, InboxVisit, JobsPage } from "@/api/types";

const EVERY_MS = 10_000;
/** A visit goes on while its viewer is said to look within half an hour. */
const SAID_EVERY_MS = 600_000;
const NEWEST = 10;

const inboxKey = (tenant: string | null) => ["inbox", tenant] as const;
const PATH = "/api/inbox";

/** After what the viewer did, so long what is so now is asked for: else answers are seconds old. */
const ACTED_MS = 15_000;

let saidAt = Number.NEGATIVE_INFINITY;

/** Whether the viewer did something of late. */
const hasActed = (client: QueryClient) =>
  client
    .getMutationCache()
    .getAll()
    .some(({ state }) => Date.now() - state.submittedAt < ACTED_MS);

const put = (tenant: string | null, body: InboxVisit): Promise<Inbox> =>
  api.put(PATH, { body, query: ofTenant(tenant) });

/** Read the inbox, and say now and then that somebody looks at it, with which the same is answered. */
async function read(tenant: string | null, { client, signal }: QueryFunctionContext): Promise<Inbox> {
  if (Date.now() - saidAt < SAID_EVERY_MS && !hasActed(client))
    return api.get(PATH, { query: ofTenant(tenant), signal });
  const inbox = await put(tenant, { seen: true });
  saidAt = Date.now();
  return inbox;
}

/** Query of what needs somebody, of a tenant or of all that one may see; jobs that change make it stale. */
export const inboxQuery = (tenant: string | null) =>
  queryOptions({
    queryKey: inboxKey(tenant),
    refetchInterval: EVERY_MS,
    staleTime: 0,
    queryFn: (context): Promise<Inbox> => read(tenant, context),
  });

/** Query of the newest jobs: a list as the others, of one page, whose rows events change in place. */
export const newestQuery = (tenant: string | null) =>
  queryOptions({
    queryKey: jobKeys.list({ newest: NEWEST, tenant }),
    staleTime: 0,
    queryFn: async ({ signal }): Promise<InfiniteData<JobsPage>> => {
      const page = await api.get("/api/jobs", { query: { page_size: NEWEST, ...ofTenant(tenant) }, signal });
      return { pages: [page as JobsPage], pageParams: [""] };
    },
  });

/** Puts groups off, or off no longer. */
export function useUpdateInbox(tenant: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["inbox", "update"],
    mutationFn: (visit: InboxVisit) => put(tenant, visit),
    onSuccess: (inbox) => client.setQueryData<Inbox>(inboxKey(tenant), inbox),
  });
}
