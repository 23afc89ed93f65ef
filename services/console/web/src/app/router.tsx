import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { parseAuditSearch } from "@/access/audit-search";
import { parseAgentsSearch } from "@/agents/sort";
import { Shell } from "@/app/shell/Shell";
import { parseJobsSearch } from "@/jobs/list/search/parse-address";
import { parseJobSearch } from "@/jobs/model/job-search";
import type { PlaygroundSearch } from "@/judges/playground/trials";
import type { QualitySearch } from "@/quality/search";
import { parseOverviewSearch } from "@/system/queries";
import { ErrorPage, NotFound } from "./ErrorPage";
import * as pages from "./lazy-pages";
import { parseSearch, stringifySearch } from "./search-params";

type RawSearch = Record<string, string | string[] | undefined>;

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const getParentRoute = () => root;

const inbox = createRoute({ getParentRoute, path: "/", component: pages.InboxPage });

const jobs = createRoute({
  getParentRoute,
  path: "/jobs",
  validateSearch: (search) => parseJobsSearch(search as RawSearch),
  component: () => <pages.JobsPage search={jobs.useSearch()} />,
});

const job = createRoute({
  getParentRoute,
  path: "/jobs/$id",
  validateSearch: parseJobSearch,
  component: () => {
    const { id } = job.useParams();
    return <pages.JobPage key={id} id={id} />;
  },
});

const newJob = createRoute({
  getParentRoute,
  path: "/new",
  validateSearch: (search: RawSearch): { from?: string } =>
    typeof search.from === "string" ? { from: search.from } : {},
  component: () => {
    const { from } = newJob.useSearch();
    return <pages.NewJobPage key={from} from={from} />;
  },
});

const batches = createRoute({ getParentRoute, path: "/batches", component: pages.BatchesPage });

const batch = createRoute({
  getParentRoute,
  path: "/batches/$id",
  component: () => {
    const { id } = batch.useParams();
    return <pages.BatchPage key={id} id={id} />;
  },
});

const agents = createRoute({
  getParentRoute,
  path: "/agents",
  validateSearch: (search: RawSearch) => parseAgentsSearch(search),
  component: () => <pages.AgentsPage key={String(agents.useSearch().register)} search={agents.useSearch()} />,
});

const agent = createRoute({
  getParentRoute,
  path: "/agents/$id",
  component: () => {
    const { id } = agent.useParams();
    return <pages.AgentPage key={id} id={id} />;
  },
});

const tryAgent = createRoute({
  getParentRoute,
  path: "/agents/$id/try",
  validateSearch: (search: RawSearch): { try?: string } => (typeof search.try === "string" ? { try: search.try } : {}),
  component: () => {
    const { id } = tryAgent.useParams();
    return <pages.TryPage key={id} agentId={id} tryId={tryAgent.useSearch().try} />;
  },
});

const limits = createRoute({ getParentRoute, path: "/system/limits", component: pages.LimitsPage });

const quality = createRoute({
  getParentRoute,
  path: "/quality",
  // It is parsed by the page, which is a part of its own.
  validateSearch: (search) => search as QualitySearch,
  component: () => <pages.QualityPage search={quality.useSearch()} />,
});

const judges = createRoute({ getParentRoute, path: "/quality/judges", component: pages.JudgesPage });

/** Version of a name that is shown, where one is asked for. */
const parseVersion = (search: RawSearch): { version?: number } => {
  const version = Number(search.version);
  return Number.isInteger(version) && version > 0 ? { version } : {};
};

const judge = createRoute({
  getParentRoute,
  path: "/quality/judges/$name",
  validateSearch: parseVersion,
  component: () => {
    const { name } = judge.useParams();
    return <pages.JudgePage key={name} name={name} version={judge.useSearch().version} />;
  },
});

const criteriaSet = createRoute({
  getParentRoute,
  path: "/quality/criteria-sets/$name",
  validateSearch: parseVersion,
  component: () => {
    const { name } = criteriaSet.useParams();
    return <pages.CriteriaSetPage key={name} name={name} version={criteriaSet.useSearch().version} />;
  },
});

const playground = createRoute({
  getParentRoute,
  path: "/quality/try",
  validateSearch: ({ job, policy, set }: RawSearch): PlaygroundSearch => ({
    ...(typeof job === "string" && { job }),
    ...(typeof policy === "string" && { policy }),
    ...(typeof set === "string" && { set }),
  }),
  component: () => {
    const search = playground.useSearch();
    return <pages.PlaygroundPage key={JSON.stringify(search)} search={search} />;
  },
});

const evaluations = createRoute({ getParentRoute, path: "/quality/evaluations", component: pages.EvaluationsPage });

const system = createRoute({
  getParentRoute,
  path: "/system",
  validateSearch: parseOverviewSearch,
  component: () => <pages.OverviewPage search={system.useSearch()} />,
});

const workers = createRoute({ getParentRoute, path: "/system/workers", component: pages.WorkersPage });

const kept = createRoute({ getParentRoute, path: "/system/kept", component: pages.KeptPage });

const deadLetters = createRoute({ getParentRoute, path: "/system/dead-letters", component: pages.DeadLettersPage });

const sessions = createRoute({ getParentRoute, path: "/sessions", component: pages.SessionsPage });

const tokens = createRoute({ getParentRoute, path: "/tokens", component: pages.TokensPage });

const tenants = createRoute({ getParentRoute, path: "/tenants", component: pages.TenantsPage });

const audit = createRoute({
  getParentRoute,
  path: "/audit",
  validateSearch: parseAuditSearch,
  component: () => <pages.AuditPage search={audit.useSearch()} />,
});

/** Router: every page with the search parameters of its address. */
export const router = createRouter({
  routeTree: root.addChildren([
    ...[inbox, jobs, job, newJob, batches, batch, agents, agent, tryAgent, limits],
    ...[quality, judges, judge, criteriaSet, playground, evaluations, system, workers, kept, deadLetters],
    ...[sessions, tokens, tenants, audit],
  ]),
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
