import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { jobKeys } from "@/api/query-keys";
import { rememberList, rememberOrder } from "@/jobs/list/state/list-memory";
import { groupBySubmission } from "@/jobs/model/submissions";
import { CriteriaList } from "@/judging/CriteriaList";
import { VerdictPanel } from "@/judging/VerdictPanel";
import { applyJobs } from "@/live/apply-changes";
import { aChange, aJob, aLog } from "@/testing/factories";
import { FIRST, HISTORY, SECOND } from "@/testing/history";
import { renderPage } from "@/testing/render";
import { on, problem, serveJob } from "@/testing/server";
import { JobPage } from "./JobPage";

it("the history is grouped by submission", () => {
  const submissions = groupBySubmission(HISTORY);
  expect(submissions.map(({ number, logs, outcome }) => [number, logs.length, outcome])).toEqual([
    [null, 1, "ASSIGNED"],
    [1, 3, "RESUBMISSION_REQUIRED"],
    [2, 2, "COMPLETED"],
  ]);
  expect(submissions.map(({ name }) => name)).toEqual(["Assignment", "Submission 1", "Submission 2"]);
});

it("a submission that was tried again has a name of its own", () => {
  const again = HISTORY.map((log) => (log.execution_id === "execution-2" ? { ...log, submission: 1 } : log));
  expect(groupBySubmission(again).map(({ name }) => name)).toEqual([
    "Assignment",
    "Submission 1",
    "Submission 1 (try 2)",
  ]);
});

it("a verdict shows every criterion, those that passed too, with evidence and comment", async () => {
  const onQuote = vi.fn();
  render(
    <VerdictPanel
      source={{ jobId: "poem", version: 4 }}
      verdict={FIRST}
      focused={null}
      onQuote={onQuote}
      compared={{ name: "Submission 2", verdict: SECOND }}
    />,
  );
  const [, open, , met] = screen.getAllByRole("row") as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  for (const text of ["Met", "It rhymes", "moon and June", "two rhymes"]) expect(met).toHaveTextContent(text);
  for (const text of ["Not met", "optional", "nine hundred lines", "Submission 2: met"])
    expect(open).toHaveTextContent(text);
  expect(screen.getByText("Not accepted: 1 of 2 criteria not met")).toBeVisible();
  await userEvent.click(within(met).getByRole("button"));
  expect(onQuote).toHaveBeenCalledWith("It rhymes 0", "moon and June");
});

it("criteria that nobody judged yet are a list", () => {
  render(
    <CriteriaList criteria={[...(aJob().criteria ?? []), { text: "it is long", required: false, kind: "never" }]} />,
  );
  expect(screen.getAllByRole("listitem").map((item) => item.textContent)).toEqual([
    "Not judged yetIt rhymes",
    "Not judged yetit is shortoptional",
    "Not judged yetit is longoptionalnever",
  ]);
});

it("a job's page shows it all, and leads from a quote to its place in the result", async () => {
  serveJob(aJob({ status: "COMPLETED", version: 6, execution_id: "execution-2", submission: 2 }), HISTORY);
  const { user, container } = await renderPage(<JobPage id="poem" />);
  expect(await screen.findByRole("heading", { level: 1, name: "A poem" })).toBeVisible();
  const quotes = await screen.findAllByTitle(/^Show where it stands in the result/);
  await user.click(quotes[0] as HTMLElement);
  const result = screen.getByRole("region", { name: "Result" });
  expect(result.querySelector("mark[aria-current]")).toHaveTextContent("moon and June");
  await user.click(within(result).getByRole("tab", { name: "Diff with submission 1" }));
  const diff = await within(result).findByRole("region", { name: /^This one compared/ });
  expect(diff).toHaveTextContent(/−.*and so on/);
  await user.click(screen.getByRole("tab", { name: "Entries" }));
  expect(container.querySelectorAll("[data-version]").length).toBe(2);
});

const EVERYWHERE: [number, number][] = [
  [20, 33],
  [35, 48],
];

it("a quote is shown wherever the server found it, in the result of the entry that was judged", async () => {
  const criteria = FIRST.criteria.map((each) => ({ ...each, evidence_spans: each.evidence?.map(() => EVERYWHERE) }));
  const payload = { result: "moon and June, 🌙 so MOON AND JUNE, Moon and June", verdict: { ...FIRST, criteria } };
  const logs = [aLog({ version: 4, status: "REJECTED", kind: "not_met", ...payload })];
  serveJob(aJob({ status: "REJECTED", version: 4, execution_id: "execution-1" }), logs);
  const { user } = await renderPage(<JobPage id="poem" />);
  await user.click(await screen.findByTitle(/^Show where it stands in the result/));
  const result = screen.getByRole("region", { name: "Result" });
  const current = () => result.querySelector("mark[aria-current]");
  expect([...result.querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual([
    "MOON AND JUNE",
    "Moon and June",
  ]);
  expect(current()).toHaveTextContent("MOON AND JUNE");
  await user.click(screen.getByTitle(/^Show where it stands in the result/));
  expect(current()).toHaveTextContent("Moon and June");
  const link = within(result).getByRole("link", { name: "Download" });
  expect(link).toHaveAttribute("href", "/api/jobs/poem/logs/4/result?download=1");
});

it("a job that was edited elsewhere is shown as it is then", async () => {
  serveJob(aJob({ status: "FAILED", version: 6 }), HISTORY);
  const { client } = await renderPage(<JobPage id="poem" />);
  await screen.findByRole("heading", { level: 1, name: "A poem" });
  serveJob(aJob({ status: "FAILED", version: 7, title: "An ode" }), HISTORY);
  applyJobs(client, new Map([["poem", [aChange({ version: 7, status: "FAILED", log: { kind: "edited" } })]]]));
  expect(await screen.findByRole("heading", { level: 1, name: "An ode" })).toBeVisible();
});

it.each([
  [404, "unknown_job", "there is no job poem"],
  [422, "invalid_request", "the id is malformed"],
])("a job that is not there is said so (%i), with the way back", async (status, code, words) => {
  for (const path of ["/api/jobs/poem", "/api/jobs/poem/logs"]) on("get", path, () => problem(status, code, words));
  await renderPage(<JobPage id="poem" />);
  expect(await screen.findByRole("heading", { level: 1, name: "There is no such job" })).toBeVisible();
  expect(screen.getByText(words)).toBeVisible();
  expect(screen.getByRole("link", { name: "Back to the jobs" })).toBeVisible();
});

it("a job that goes away while it is shown is said so", async () => {
  serveJob(aJob(), HISTORY.slice(0, 1));
  const { client } = await renderPage(<JobPage id="poem" />);
  await screen.findByRole("heading", { level: 1, name: "A poem" });
  on("get", "/api/jobs/poem", () => problem(404, "unknown_job", "there is no job poem"));
  await client.refetchQueries({ queryKey: jobKeys.detail("poem") });
  expect(await screen.findByText("This job is no longer there")).toBeVisible();
  expect(screen.getByRole("heading", { level: 1, name: "A poem" })).toBeVisible();
});

it("a result that came after the end is a group of its own, and no second try", () => {
  const cancelled = [
    ...HISTORY.slice(0, 2),
    aLog({ version: 3, status: "CANCELLED", kind: "cancelled" }),
    aLog({ version: 4, status: "ASSIGNED", kind: "edited", execution_id: undefined }),
    aLog({ version: 5, status: "CANCELLED", kind: "result" }),
  ];
  expect(groupBySubmission(cancelled).map(({ name }) => name)).toEqual([
    "Assignment",
    "Submission 1",
    "Edit",
    "Submission 1, late result",
  ]);
});

it("the way back leads to the list as it was", async () => {
  rememberOrder(["before", "poem", "after"]);
  rememberList({ agent: "writer" });
  serveJob(aJob(), HISTORY);
  await renderPage(<JobPage id="poem" />);
  expect(await screen.findByRole("link", { name: "Jobs" })).toHaveAttribute("href", "/jobs?agent=writer");
  expect(screen.getByRole("link", { name: "next (j)" })).toHaveAttribute("href", "/jobs/after");
});
