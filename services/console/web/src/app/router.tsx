import { createRootRoute, createRoute, createRouter, redirect } from "@tanstack/react-router";
import { parseAuditSearch } from "@/access/audit-search";
import { parseAgentsSearch } from "@/agents/sort";
import { Shell } from "@/app/shell/Shell";
import { JobsPage } from "@/jobs/list/JobsPage";
import { parseJobsSearch } from "@/jobs/list/search/parse-address";
import type { PlaygroundSearch } from "@/judges/playground/trials";
import { parseOverviewSearch } from "@/overview/queries";
import { ErrorPage, NotFound } from "./ErrorPage";
import { lazyPage } from "./lazy-page";
import { parseSearch, stringifySearch } from "./search-params";

// The list is what is seen first, and is loaded with the page.
const JobPage = lazyPage(async () => (await import("@/jobs/detail/JobPage")).JobPage);
const NewJobPage = lazyPage(async () => (await import("@/jobs/form/NewJobPage")).NewJobPage);
const BatchesPage = lazyPage(async () => (await import("@/batches/BatchesPage")).BatchesPage);
const BatchPage = lazyPage(async () => (await import("@/batches/BatchPage")).BatchPage);
const AgentsPage = lazyPage(async () => (await import("@/agents/AgentsPage")).AgentsPage);
const AgentPage = lazyPage(async () => (await import("@/agents/AgentPage")).AgentPage);
const TryPage = lazyPage(async () => (await import("@/agents/try/TryPage")).TryPage);
const LimitsPage = lazyPage(async () => (await import("@/limits/LimitsPage")).LimitsPage);
const JudgesPage = lazyPage(async () => (await import("@/judges/JudgesPage")).JudgesPage);
const JudgePage = lazyPage(async () => (await import("@/judges/JudgePage")).JudgePage);
const CriteriaSetPage = lazyPage(async () => (await import("@/judges/CriteriaSetPage")).CriteriaSetPage);
const EvaluationsPage = lazyPage(async () => (await import("@/judges/evaluations/EvaluationsPage")).EvaluationsPage);
const PlaygroundPage = lazyPage(async () => (await import("@/judges/playground/PlaygroundPage")).PlaygroundPage);
const OverviewPage = lazyPage(async () => (await import("@/overview/OverviewPage")).OverviewPage);
const SessionsPage = lazyPage(async () => (await import("@/access/SessionsPage")).SessionsPage);
const TokensPage = lazyPage(async () => (await import("@/access/TokensPage")).TokensPage);
const TenantsPage = lazyPage(async () => (await import("@/access/TenantsPage")).TenantsPage);
const AuditPage = lazyPage(async () => (await import("@/access/AuditPage")).AuditPage);
const DeadLettersPage = lazyPage(async () => (await import("@/overview/DeadLettersPage")).DeadLettersPage);

type RawSearch = Record<string, string | string[] | undefined>;

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const getParentRoute = () => root;

const jobs = createRoute({
  getParentRoute,
  path: "/",
  validateSearch: (search) => parseJobsSearch(search as RawSearch),
  component: () => <JobsPage search={jobs.useSearch()} />,
});

const jobsRedirect = createRoute({
  getParentRoute,
  path: "/jobs",
  validateSearch: (search) => parseJobsSearch(search as RawSearch),
  beforeLoad: ({ search }) => {
    throw redirect({ to: "/", search });
  },
});

const job = createRoute({
  getParentRoute,
  path: "/jobs/$id",
  component: () => {
    const { id } = job.useParams();
    return <JobPage key={id} id={id} />;
  },
});

const newJob = createRoute({
  getParentRoute,
  path: "/new",
  validateSearch: (search: RawSearch): { from?: string } =>
    typeof search.from === "string" ? { from: search.from } : {},
  component: () => {
    const { from } = newJob.useSearch();
    return <NewJobPage key={from} from={from} />;
  },
});

const batches = createRoute({ getParentRoute, path: "/batches", component: BatchesPage });

const batch = createRoute({
  getParentRoute,
  path: "/batches/$id",
  component: () => {
    const { id } = batch.useParams();
    return <BatchPage key={id} id={id} />;
  },
});

const agents = createRoute({
  getParentRoute,
  path: "/agents",
  validateSearch: (search: RawSearch) => parseAgentsSearch(search),
  component: () => <AgentsPage key={String(agents.useSearch().register)} search={agents.useSearch()} />,
});

const agent = createRoute({
  getParentRoute,
  path: "/agents/$id",
  component: () => {
    const { id } = agent.useParams();
    return <AgentPage key={id} id={id} />;
  },
});

const tryAgent = createRoute({
  getParentRoute,
  path: "/agents/$id/try",
  validateSearch: (search: RawSearch): { try?: string } => (typeof search.try === "string" ? { try: search.try } : {}),
  component: () => {
    const { id } = tryAgent.useParams();
    return <TryPage key={id} agentId={id} tryId={tryAgent.useSearch().try} />;
  },
});

const limits = createRoute({ getParentRoute, path: "/limits", component: LimitsPage });

const judges = createRoute({ getParentRoute, path: "/judges", component: JudgesPage });

/** Version of a name that is shown, where one is asked for. */
const parseVersion = (search: RawSearch): { version?: number } => {
  const version = Number(search.version);
  return Number.isInteger(version) && version > 0 ? { version } : {};
};

const judge = createRoute({
  getParentRoute,
  path: "/judges/$name",
  validateSearch: parseVersion,
  component: () => {
    const { name } = judge.useParams();
    return <JudgePage key={name} name={name} version={judge.useSearch().version} />;
  },
});

const criteriaSet = createRoute({
  getParentRoute,
  path: "/criteria-sets/$name",
  validateSearch: parseVersion,
  component: () => {
    const { name } = criteriaSet.useParams();
    return <CriteriaSetPage key={name} name={name} version={criteriaSet.useSearch().version} />;
  },
});

const playground = createRoute({
  getParentRoute,
  path: "/playground",
  validateSearch: ({ job, policy, set }: RawSearch): PlaygroundSearch => ({
    ...(typeof job === "string" && { job }),
    ...(typeof policy === "string" && { policy }),
    ...(typeof set === "string" && { set }),
  }),
  component: () => {
    const search = playground.useSearch();
    return <PlaygroundPage key={JSON.stringify(search)} search={search} />;
  },
});

const evaluations = createRoute({ getParentRoute, path: "/evaluations", component: EvaluationsPage });

const overview = createRoute({
  getParentRoute,
  path: "/overview",
  validateSearch: parseOverviewSearch,
  component: () => <OverviewPage search={overview.useSearch()} />,
});

const deadLetters = createRoute({ getParentRoute, path: "/dead-letters", component: DeadLettersPage });

const sessions = createRoute({ getParentRoute, path: "/sessions", component: SessionsPage });

const tokens = createRoute({ getParentRoute, path: "/tokens", component: TokensPage });

const tenants = createRoute({ getParentRoute, path: "/tenants", component: TenantsPage });

const audit = createRoute({
  getParentRoute,
  path: "/audit",
  validateSearch: parseAuditSearch,
  component: () => <AuditPage search={audit.useSearch()} />,
});

/** Router: every page with the search parameters of its address. */
export const router = createRouter({
  routeTree: root.addChildren([
    ...[jobs, jobsRedirect, job, newJob, batches, batch, agents, agent, tryAgent, limits],
    ...[judges, judge, criteriaSet, playground, evaluations, overview, deadLetters],
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
