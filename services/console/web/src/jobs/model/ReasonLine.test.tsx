import { act, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Waiting, WaitReason } from "@/api/types";
import { BatchPage } from "@/batches/BatchPage";
import { JobPage } from "@/jobs/detail/JobPage";
import { JobsPage } from "@/jobs/list/JobsPage";
import type { WaitingById } from "@/jobs/list/state/use-waiting";
import { applyJobs } from "@/live/apply-changes";
import { OverviewPage } from "@/system/OverviewPage";
import { aBatch, aChange, aJob, aLimit, aLog, anOverview } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, serveJob, serveJobs } from "@/testing/server";

const UNTIL = new Date(Date.now() + 90_500).toISOString();
const FULL: WaitReason = {
  code: "limit_concurrency",
  name: "tenant:press",
  used: 5,
  allowed: 5,
  owner: "operator",
  remedy: "raise it: signoff limits set tenant:press --concurrency 10",
};
const OPEN: WaitReason = {
  code: "circuit_open",
  name: "writer",
  used: 5,
  until: UNTIL,
  owner: "agent",
  remedy: "mend the agent",
};
const ASKED = aLog({ kind: "requested", status: "ASSIGNED", message: "submission 1 was requested" });
const QUEUED = aJob({ live: true, execution_id: "execution-1", last_log: ASKED });
const WAITING: Waiting = { execution_id: "execution-1", since: ASKED.created_at, reasons: [OPEN, FULL], place: 3 };
const WORDS = "limit tenant:press is reached: 5 of 5 running";

it("a row of the list says why its job waits, until its next entry, and leads to what lifts it", async () => {
  serveJobs([{ ...QUEUED, waiting: { ...WAITING, reasons: [FULL, OPEN] } }]);
  const { client } = await renderPage((search) => <JobsPage search={search} />);
  const link = await screen.findByRole("link", { name: WORDS });
  expect(link).toHaveAttribute("href", "/system/limits");
  expect(screen.getByTitle(/An operator can lift it: raise it: signoff limits set/)).toBeVisible();
  act(() => applyJobs(client, new Map([["poem", [aChange({ version: 2, log: { message: "is being called" } })]]])));
  expect(await screen.findByText("is being called")).toBeVisible();
  expect(screen.queryByText(WORDS)).not.toBeInTheDocument();
});

it("a row of the list says that the judge does not answer", async () => {
  const result = aLog({ version: 2, kind: "result", status: "IN_PROGRESS", message: "the agent answered" });
  const away = { code: "judge_away", name: "", owner: "operator", remedy: "signoff judge test", since: UNTIL };
  const waiting = { ...WAITING, since: result.created_at, reasons: [away] };
  serveJobs([aJob({ status: "IN_PROGRESS", live: true, last_log: result, waiting })]);
  await renderPage((search) => <JobsPage search={search} />);
  expect(await screen.findByText("the judge does not answer")).toBeVisible();
  expect(screen.getByTitle(/^the judge does not answer since .* An operator can lift it/)).toBeVisible();
});

it("what a row waits for is read anew, and no row moves", async () => {
  serveJobs([QUEUED]);
  await renderPage((search) => <JobsPage search={search} />);
  await screen.findByText("submission 1 was requested");
  serveJobs([aJob({ id: "newer", title: "Newer" }), { ...QUEUED, waiting: { ...WAITING, reasons: [FULL] } }]);
  expect(await screen.findByText(WORDS)).toBeVisible();
  expect(screen.queryByText("Newer")).not.toBeInTheDocument();
});

it("what further rows wait for is read anew, too", async () => {
  const rows = Array.from({ length: 101 }, (_, at) => ({ ...QUEUED, id: `job-${at}`, title: `Job ${at}` }));
  const others = rows.map((job) => ({ ...job, live: false }));
  serveJobs([...others.slice(0, 100), rows[100]!]);
  const { client } = await renderPage((search) => <JobsPage search={search} />);
  await screen.findByText("Job 0");
  const asked = serveJobs(others.slice(0, 100), [{ ...rows[100]!, waiting: { ...WAITING, reasons: [FULL] } }]);
  const read = () => client.getQueryData<WaitingById>(["jobs-waiting", {}]);
  await waitFor(() => expect(read()?.get("job-100")?.reasons).toEqual([FULL]), { timeout: 5_000 });
  expect(asked.map((url) => url.searchParams.get("page_token"))).toEqual([null, "1"]);
});

it("a job's page says the first reason with a button for its remedy, and the others with theirs", async () => {
  serveJob(QUEUED, [ASKED]);
  on("get", "/api/jobs/poem/waiting", () => json(WAITING));
  const { user } = await renderPage(<JobPage id="poem" />);
  expect(await screen.findByText("circuit of writer is open after 5 failures")).toBeVisible();
  expect(screen.queryByText("waits for a worker")).not.toBeInTheDocument();
  const why = screen.getByRole("region", { name: "Why it waits" });
  expect(why).toHaveTextContent(/tried again in 1m/);
  expect(within(why).getByRole("button", { name: "Close circuit" })).toBeVisible();
  await user.click(within(why).getByText("1 more reason"));
  for (const words of [WORDS, "An operator can lift it.", "Its place in the queue: 3."])
    expect(why).toHaveTextContent(words);
  expect(why).not.toHaveTextContent("signoff limits set");
  on("get", "/api/limits", () => items(aLimit({ name: "tenant:press", concurrency: 5 })));
  await user.click(within(why).getByRole("button", { name: "Raise the limit" }));
  expect(await screen.findByLabelText("Executions at once")).toHaveValue(5);
});

it("no start is foretold, since nobody measured how far it may be off", async () => {
  serveJob(QUEUED, [ASKED]);
  const backoff = { code: "retry_backoff", name: "", until: UNTIL, owner: "time", remedy: "it is tried again" };
  on("get", "/api/jobs/poem/waiting", () => json({ ...WAITING, reasons: [backoff], starts_at: UNTIL }));
  await renderPage(<JobPage id="poem" />);
  const why = await screen.findByRole("region", { name: "Why it waits" });
  expect(why).toHaveTextContent("waits for its next call in 1m");
  expect(why).toHaveTextContent(/until/);
  expect(why).not.toHaveTextContent("begins at");
});

it("the overview and a batch say how many wait for what", async () => {
  const waiting = [
    { code: FULL.code, name: FULL.name, count: 390, owner: FULL.owner, remedy: FULL.remedy },
    { code: "queue", name: "", count: 22, owner: "signoff", remedy: "its turn comes" },
  ];
  const text = "Of 412 waiting, 390: limit tenant:press is reached; 22: waits for its turn";
  on("get", "/api/overview", () => json(anOverview({ waiting })));
  const { unmount } = await renderPage(<OverviewPage search={{}} />);
  expect(await screen.findByRole("region", { name: "Why executions wait" })).toHaveTextContent(text);
  unmount();
  on("get", "/api/operations/batch-1/items", () => items());
  on("get", "/api/jobs", () => items());
  on("get", "/api/operations/batch-1", () => json(aBatch({ waiting })));
  await renderPage(<BatchPage id="batch-1" />);
  expect((await screen.findByText(/^Of 412 waiting/)).textContent).toBe(text);
  const jobs = screen.getByRole("link", { name: "390 jobs that wait: limit tenant:press is reached" });
  expect(jobs.getAttribute("href")).toContain("reason=limit_concurrency%3Atenant%3Apress");
  expect(jobs.getAttribute("href")).toContain("batch=batch-1");
});

it("reasons beyond the first three are shown when they are asked for", async () => {
  const named = (name: string) => ({
    code: FULL.code,
    name: `tenant:${name}`,
    count: 1,
    owner: "operator",
    remedy: "",
  });
  const waiting = ["a", "b", "c", "d"].map(named);
  on("get", "/api/overview", () => json(anOverview({ waiting })));
  const { user } = await renderPage(<OverviewPage search={{}} />);
  const more = await screen.findByRole("button", { name: "1 more reason" });
  expect(screen.queryByText("limit tenant:d is reached")).not.toBeInTheDocument();
  await user.click(more);
  expect(screen.getByText("limit tenant:d is reached")).toBeVisible();
  expect(more).not.toBeInTheDocument();
});
