import { lazyPage } from "./lazy-page";

export const JobsPage = lazyPage(async () => (await import("@/jobs/list/JobsPage")).JobsPage);
export const InboxPage = lazyPage(async () => (await import("@/inbox/InboxPage")).InboxPage);
export const JobPage = lazyPage(async () => (await import("@/jobs/detail/JobPage")).JobPage);
export const NewJobPage = lazyPage(async () => (await import("@/jobs/form/NewJobPage")).NewJobPage);
export const BatchesPage = lazyPage(async () => (await import("@/batches/BatchesPage")).BatchesPage);
export const BatchPage = lazyPage(async () => (await import("@/batches/BatchPage")).BatchPage);
export const AgentsPage = lazyPage(async () => (await import("@/agents/AgentsPage")).AgentsPage);
export const AgentPage = lazyPage(async () => (await import("@/agents/AgentPage")).AgentPage);
export const TryPage = lazyPage(async () => (await import("@/agents/try/TryPage")).TryPage);
export const LimitsPage = lazyPage(async () => (await import("@/limits/LimitsPage")).LimitsPage);
export const QualityPage = lazyPage(async () => (await import("@/quality/QualityPage")).QualityPage);
export const JudgesPage = lazyPage(async () => (await import("@/judges/JudgesPage")).JudgesPage);
export const JudgePage = lazyPage(async () => (await import("@/judges/JudgePage")).JudgePage);
export const CriteriaSetPage = lazyPage(async () => (await import("@/judges/CriteriaSetPage")).CriteriaSetPage);
export const EvaluationsPage = lazyPage(
  async () => (await import("@/judges/evaluations/EvaluationsPage")).EvaluationsPage,
);
export const PlaygroundPage = lazyPage(async () => (await import("@/judges/playground/PlaygroundPage")).PlaygroundPage);
export const OverviewPage = lazyPage(async () => (await import("@/system/OverviewPage")).OverviewPage);
export const WorkersPage = lazyPage(async () => (await import("@/system/WorkersPage")).WorkersPage);
export const KeptPage = lazyPage(async () => (await import("@/keeping/KeptPage")).KeptPage);
export const SessionsPage = lazyPage(async () => (await import("@/access/SessionsPage")).SessionsPage);
export const TokensPage = lazyPage(async () => (await import("@/access/TokensPage")).TokensPage);
export const TenantsPage = lazyPage(async () => (await import("@/access/TenantsPage")).TenantsPage);
export const AuditPage = lazyPage(async () => (await import("@/access/AuditPage")).AuditPage);
export const DeadLettersPage = lazyPage(async () => (await import("@/system/DeadLettersPage")).DeadLettersPage);
