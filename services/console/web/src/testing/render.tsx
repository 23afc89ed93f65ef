import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  type RouterHistory,
  RouterProvider,
  useSearch,
} from "@tanstack/react-router";
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { parseSearch, stringifySearch } from "@/app/search-params";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { parseJobsSearch } from "@/jobs/list/search/parse-address";
import { createQueryClient } from "@/live/query-client";

function Content({ shown }: { shown: Shown }) {
  const search = useSearch({ strict: false });
  return typeof shown === "function" ? shown(search) : shown;
}

type Shown = ReactNode | ((search: JobsSearch) => ReactNode);

type Options = { address?: string; client?: QueryClient; history?: RouterHistory };

/** Render a component as a page with a router, a query client and a server. */
export async function renderPage(shown: Shown, { address, client = createQueryClient(), history }: Options = {}) {
  const path = typeof shown === "function" ? "/jobs" : "/";
  const root = createRootRoute();
  const page = createRoute({
    getParentRoute: () => root,
    path,
    // What takes a search is the list of jobs; the addresses of other pages have their own parameters.
    validateSearch: (search) =>
      typeof shown === "function" ? parseJobsSearch(search as never) : (search as JobsSearch),
    component: () => <Content shown={shown} />,
  });
  const job = createRoute({ getParentRoute: () => root, path: "/jobs/$id", component: () => <p>a job's page</p> });
  const router = createRouter({
    routeTree: root.addChildren([page, job]),
    history: history ?? createMemoryHistory({ initialEntries: [address ?? path] }),
    parseSearch,
    stringifySearch,
    defaultNotFoundComponent: () => <p>another page</p>,
  });
  await router.load();
  const user = userEvent.setup();
  const view = render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  return { ...view, user, client: client as QueryClient, router };
}
