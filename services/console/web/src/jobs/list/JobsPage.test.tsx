import { act, screen, waitFor, within } from "@testing-library/react";
import { http } from "msw";
import { expect, it, vi } from "vitest";
import { toJobsQuery } from "@/jobs/list/search/jobs-search";
import { parseJobsSearch } from "@/jobs/list/search/parse-address";
import { applyJobs } from "@/live/apply-changes";
import { aChange, aJob, aLog } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { problem, serveJobs, server } from "@/testing/server";
import { JobsPage } from "./JobsPage";

const JOBS = [
  aJob({ id: "a", title: "Alpha" }),
  aJob({ id: "b", title: "Beta", status: "FAILED" }),
  aJob({ id: "c", title: "Gamma", status: "COMPLETED" }),
];
const NOW = Date.parse("2026-11-25T01:00:00Z");
const page = (address = "/jobs") => renderPage((search) => <JobsPage search={search} />, { address });
const titles = () => screen.getAllByRole("link", { name: /Alpha|Beta|Gamma/ }).map((link) => link.textContent);
const row = (title: string) => screen.getByRole("link", { name: title }).closest("tr") as HTMLElement;

it("reads its filters from the address, and keeps what makes no sense to say so", () => {
  const raw = { status: ["FAILED", "WRONG"], label: ["team:a", "nolabel"], period: "24h", sort: "x", text: "hi" };
  expect(parseJobsSearch(raw)).toEqual({
    ...{ status: ["FAILED"], label: ["team:a"], period: "24h", text: "hi" },
    unknown: ["status=WRONG", "label=nolabel", "sort=x"],
  });
  expect(toJobsQuery({ period: "1h" }, NOW).created_after).toBe("2026-11-25T00:00:00.000Z");
});

it("asks for what the address says", async () => {
  const asked = serveJobs(JOBS);
  await page(
    "/jobs?status=FAILED&status=REJECTED&agent=writer&label=team:a&batch=0199d5a8-0000-7000-8000-00000000000a&text=moon&period=1h",
  );
  await waitFor(() => expect(asked).toHaveLength(1));
  const query = asked[0]?.searchParams;
  expect([query?.get("text"), query?.get("batch_id")]).toEqual(["moon", "0199d5a8-0000-7000-8000-00000000000a"]);
  expect(query?.get("created_after")).toMatch(/^\d{4}-\d\d-\d\dT/);
  expect(query?.getAll("status")).toEqual(["FAILED", "REJECTED"]);
  expect([query?.get("agent_id"), query?.get("label")]).toEqual(["writer", "team:a"]);
});

it.each([
  ["/jobs?status=NOPE", /status=NOPE\. A status is one of PENDING/],
  ["/jobs?foo=bar&status=FAILED", /foo=bar/],
])("says what it does not understand of %s, and shows no jobs as if it were not there", async (address, words) => {
  const asked = serveJobs(JOBS);
  const { user, router } = await page(address);
  expect(await screen.findByText(words)).toBeVisible();
  expect([asked.length, screen.queryByText("Alpha")]).toEqual([0, null]);
  await user.click(screen.getAllByRole("button", { name: "Clear the filters" })[0] as HTMLElement);
  expect(await screen.findByText("Alpha")).toBeVisible();
  expect(router.state.location.searchStr).toBe("");
});

it("keeps every row in its place while jobs change, and dims what no longer matches", async () => {
  serveJobs(JOBS);
  const { client } = await page("/jobs?status=ASSIGNED");
  await screen.findByText("Alpha");
  act(() => applyJobs(client, new Map([["a", [aChange({ job_id: "a", version: 2, status: "COMPLETED" })]]])));
  await waitFor(() => expect(row("Alpha")).toHaveTextContent("Completed"));
  expect(titles()).toEqual(["Alpha", "Beta", "Gamma"]);
  expect(row("Alpha")).toHaveTextContent("no longer matches: its status has changed");
});

it("takes what the server found by words and batch for what matches, also once it has changed", async () => {
  serveJobs([aJob({ id: "a", title: "Alpha", batch_id: "0199d5a8-0000-7000-8000-00000000000b" })]);
  const { client } = await page("/jobs?text=moon+alph&batch=0199d5a8-0000-7000-8000-00000000000a");
  await screen.findByText("Alpha");
  act(() => applyJobs(client, new Map([["a", [aChange({ job_id: "a", version: 2, status: "COMPLETED" })]]])));
  await waitFor(() => expect(row("Alpha")).toHaveTextContent("Completed"));
  expect(row("Alpha")).not.toHaveTextContent("no longer matches");
});

it("tells the reason of a failure first, its HTTP status beside the code, and has whole ids at hand", async () => {
  const id = "0199d5a8-0000-7000-8000-00000000000a";
  const last = aLog({ status: "FAILED", code: "agent_status", message: "the agent answered 422: no title was sent" });
  serveJobs([aJob({ id, title: "Beta", status: "FAILED", last_log: last })]);
  await page();
  await screen.findByText("Beta");
  expect(within(row("Beta")).getByText("agent_status 422")).toBeVisible();
  expect(screen.getByTitle("the agent answered 422: no title was sent")).toHaveTextContent(/^no title was sent$/);
  expect(screen.getByTitle(id)).toHaveTextContent(/^…00000000000a$/);
});

it("puts a chosen status into the address", async () => {
  serveJobs(JOBS);
  const { user, router } = await page();
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("button", { name: /failed/ }));
  await waitFor(() => expect(router.state.location.searchStr).toBe("?status=FAILED"));
  expect(await screen.findByRole("button", { name: /failed/, pressed: true })).toBeVisible();
});

it("reads on where the list goes on", async () => {
  const asked = serveJobs(JOBS.slice(0, 2), JOBS.slice(2));
  await page();
  expect(await screen.findByText("Gamma")).toBeVisible();
  expect(asked.map((url) => url.searchParams.get("page_token"))).toEqual([null, "1"]);
});

it("keeps a view under a name", async () => {
  serveJobs(JOBS);
  const { user, router } = await page("/jobs?status=FAILED");
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("button", { name: "Views" }));
  await user.type(screen.getByLabelText("Save what is shown as"), "broken{Enter}");
  await router.navigate({ to: "/jobs" as never, search: {} as never });
  await user.click(await screen.findByRole("button", { name: "broken" }));
  await waitFor(() => expect(router.state.location.searchStr).toBe("?status=FAILED"));
  expect(await screen.findByRole("button", { name: "broken", current: true })).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Delete the view broken" }));
  expect(screen.queryByRole("button", { name: "broken" })).not.toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Undo" })).toHaveFocus();
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(screen.getByRole("button", { name: "broken" })).toBeVisible();
});

it("says so where there is nothing, and why", async () => {
  serveJobs([]);
  await page("/jobs?status=FAILED");
  expect(await screen.findByText("No job matches")).toBeVisible();
});

it("tells the server's own words where it failed, and tries again", async () => {
  server.use(http.get("http://signoff.test/api/jobs", () => problem(403, "forbidden", "not with this token") as never));
  const { user } = await page();
  expect(await screen.findByText("not with this token")).toBeVisible();
  serveJobs(JOBS);
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByText("Alpha")).toBeVisible();
});

it("a phone has a card a job, and its filters behind a button", async () => {
  vi.stubGlobal("matchMedia", (query: string) => ({
    matches: query.includes("max-width"),
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  serveJobs([aJob({ id: "a", title: "Alpha", agent_id: "writer", submission: 2 })]);
  const { user } = await page();
  await screen.findByText("Alpha");
  expect(row("Alpha")).toHaveTextContent("writer · submission 2");
  expect(within(row("Alpha")).getAllByRole("cell")).toHaveLength(2);
  await user.click(screen.getByRole("button", { name: "Filter" }));
  const sheet = await screen.findByRole("dialog", { name: "Filter" });
  expect(await within(sheet).findByRole("option", { name: "Tenant" })).toBeVisible();
});
