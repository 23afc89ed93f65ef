import { createRootRoute, createRoute, createRouter, redirect } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { parseJobsSearch } from "@/jobs/list/filters";
import { JobsPage } from "@/jobs/list/JobsPage";
import { EmptyState } from "@/ui/states";
import { ErrorPage, NotFound } from "./ErrorPage";
import { Shell } from "./Shell";
import { parseSearch, stringifySearch } from "./search-text";

// The list is the first thing to be seen; what shows a job is fetched with its first page.
const JobPage = lazy(() => import("@/jobs/detail/JobPage").then((module) => ({ default: module.JobPage })));

type Raw = Record<string, string | string[] | undefined>;

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const jobs = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (search) => parseJobsSearch(search as Raw),
  component: () => <JobsPage search={jobs.useSearch()} />,
});

const jobsToo = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  beforeLoad: () => {
    throw redirect({ to: "/", search: {} });
  },
});

const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$id",
  component: () => {
    const { id } = job.useParams();
    return (
      <Suspense>
        <JobPage key={id} id={id} />
      </Suspense>
    );
  },
});

const newJob = createRoute({
  getParentRoute: () => root,
  path: "/new",
  validateSearch: (search: Raw): { from?: string } => (typeof search.from === "string" ? { from: search.from } : {}),
  component: () => (
    <EmptyState title="New job" isPage>
      Use the API or the command line until this form is here.
    </EmptyState>
  ),
});

/** Every page, and what its address may say. */
export const router = createRouter({
  routeTree: root.addChildren([jobs, jobsToo, job, newJob]),
  parseSearch,
  stringifySearch,
  defaultErrorComponent: ErrorPage,
  defaultPreload: false,
  scrollRestoration: true,
  scrollToTopSelectors: ["#main"],
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
