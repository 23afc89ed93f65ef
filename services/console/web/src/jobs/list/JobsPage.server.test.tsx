import { act, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { applyJobs } from "@/live/apply-changes";
import { aChange, aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem, serveJobs } from "@/testing/server";
import { JobsPage } from "./JobsPage";

const JOBS = [
  aJob({ id: "a", title: "Alpha" }),
  aJob({ id: "b", title: "Beta", status: "FAILED" }),
  aJob({ id: "c", title: "Gamma", status: "COMPLETED" }),
];
const page = (address = "/jobs") => renderPage((search) => <JobsPage search={search} />, { address });
const titles = () => screen.getAllByRole("link", { name: /Alpha|Beta|Gamma/ }).map((link) => link.textContent);
const row = (title: string) => screen.getByRole("link", { name: title }).closest("tr") as HTMLElement;

it("is sorted by the server, either way, and no row moves when its job changes", async () => {
  const asked = serveJobs(JOBS);
  const { user, client, router } = await page();
  await screen.findByText("Alpha");
  expect(document.title).toBe("Jobs · Signoff");
  expect(asked.at(-1)?.searchParams.get("order")).toBeNull();
  for (const [address, sort] of [
    ["?sort=updated", "-updated_at"],
    ["?sort=updated&ascending=true", "updated_at"],
  ]) {
    await user.click(screen.getByRole("button", { name: "Updated" }));
    await waitFor(() => expect(router.state.location.searchStr).toBe(address));
    await waitFor(() => expect(asked.at(-1)?.searchParams.get("order")).toBe(sort));
  }
  expect(await screen.findByRole("columnheader", { name: "Updated" })).toHaveAttribute("aria-sort", "ascending");
  await screen.findByText("Alpha");
  act(() => applyJobs(client, new Map([["b", [aChange({ job_id: "b", version: 2, status: "ASSIGNED" })]]])));
  await waitFor(() => expect(row("Beta")).toHaveTextContent("Assigned"));
  expect(titles()).toEqual(["Alpha", "Beta", "Gamma"]);
  expect(within(screen.getByRole("table")).queryByRole("button", { name: "Agent" })).not.toBeInTheDocument();
});

it("counts what matches, after the rows and whatever status is chosen", async () => {
  serveJobs(JOBS);
  const { promise, resolve: answer } = Promise.withResolvers<Response>();
  const asked = on("get", "/api/job-counts", () => promise);
  await page("/jobs?status=FAILED&text=x");
  expect(await screen.findByText("Alpha")).toBeVisible();
  const failed = screen.getByRole("button", { name: /failed/ });
  expect(failed).toHaveTextContent(/^failed$/);
  answer(json({ counts: { FAILED: 7, COMPLETED: 10_000 }, capped_at: 10_000, searched: 20_000 }));
  await waitFor(() => expect(failed).toHaveTextContent("7failed"));
  expect(screen.getByRole("button", { name: /completed/ })).toHaveTextContent("10,000+completed");
  expect(screen.getByRole("button", { name: /rejected/ })).toHaveTextContent("0rejected");
  expect(screen.getByText("among the newest 20,000 at most")).toBeVisible();
  expect(new URL(asked[0]?.url ?? "").search).toBe("?text=x");
});

it("is not held up by counts that cannot be had", async () => {
  serveJobs(JOBS);
  on("get", "/api/job-counts", () => problem(503, "unavailable", "not now"));
  await page();
  expect(await screen.findByText("Alpha")).toBeVisible();
  expect(screen.getByRole("button", { name: /failed/ })).toHaveTextContent(/^failed$/);
});

it("counts again after changes, but not for each of them", async () => {
  serveJobs(JOBS);
  const asked = on("get", "/api/job-counts", () => json({ counts: {}, capped_at: 10_000 }));
  const { client } = await page();
  await screen.findByText("Alpha");
  await waitFor(() => expect(asked).toHaveLength(1));
  for (const version of [2, 3, 4, 5]) {
    act(() => applyJobs(client, new Map([["b", [aChange({ job_id: "b", version })]]])));
  }
  await waitFor(() => expect(asked).toHaveLength(2));
  await waitFor(() => expect(row("Beta")).toHaveTextContent("In progress"));
  expect(asked).toHaveLength(2);
});

it("says how far a text was searched for, and searches on when told so", async () => {
  const asked = on("get", "/api/jobs", (request) => {
    const isSecond = new URL(request.url).searchParams.get("page_token") === "1";
    const page = isSecond ? { items: JOBS, next_page_token: null } : { items: [], next_page_token: "1" };
    return json({ ...page, searched: 10_000 });
  });
  const { user } = await page("/jobs?text=moon");
  expect(await screen.findByText("0 jobs found with “moon” among 10,000; there are more to search")).toBeVisible();
  expect(screen.queryByText("No job matches")).not.toBeInTheDocument();
  expect(asked).toHaveLength(1);
  await user.click(screen.getByRole("button", { name: "Search on" }));
  const all = "3 jobs loaded, searched among the newest 10,000: older ones may be missing";
  expect(await screen.findByText(all)).toBeVisible();
  expect(screen.queryByRole("button", { name: "Search on" })).not.toBeInTheDocument();
});

it("says nothing of a search that left none out", async () => {
  on("get", "/api/jobs", () => json({ items: JOBS, next_page_token: null, searched: null }));
  on("get", "/api/job-counts", () => json({ counts: { FAILED: 3 }, capped_at: 10_000, searched: null }));
  await page("/jobs?text=moon");
  expect(await screen.findByText("3 jobs loaded")).toBeVisible();
  await waitFor(() => expect(screen.getByRole("button", { name: /failed/ })).toHaveTextContent("3failed"));
  expect(screen.queryByText(/among the newest/)).not.toBeInTheDocument();
});

it("cancelled jobs are no assigned ones, however many there are", async () => {
  serveJobs(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { ASSIGNED: 10_000 }, cancelled: 9_990, capped_at: 10_000 }));
  await page();
  const assigned = screen.getByRole("button", { name: /assigned/ });
  await waitFor(() => expect(assigned).toHaveTextContent(/^10\+assigned$/));
});

it("says that only the newest were sorted, where more match", async () => {
  on("get", "/api/jobs", () => json({ items: JOBS, next_page_token: null, searched: 10_000 }));
  await page("/jobs?agent=writer&sort=cost");
  expect(await screen.findByText("3 jobs loaded, sorted among the newest 10,000 that match")).toBeVisible();
});

it("a cancelled job is shown, counted and found as that, and not as assigned", async () => {
  const asked = serveJobs([aJob({ id: "a", title: "Alpha", cancelled: true })]);
  on("get", "/api/job-counts", () => json({ counts: { ASSIGNED: 7 }, cancelled: 3, capped_at: 10_000 }));
  const { user, router } = await page();
  await screen.findByText("Alpha");
  expect(row("Alpha")).toHaveTextContent("Cancelled");
  const cancelled = await screen.findByRole("button", { name: /cancelled/ });
  await waitFor(() => expect(cancelled).toHaveTextContent("3cancelled"));
  expect(screen.getByRole("button", { name: /assigned/ })).toHaveTextContent("4assigned");
  await user.click(cancelled);
  await waitFor(() => expect(router.state.location.searchStr).toBe("?cancelled=true"));
  await waitFor(() => expect(asked.at(-1)?.searchParams.get("cancelled")).toBe("true"));
  await user.click(screen.getByRole("button", { name: /cancelled/ }));
  await user.click(screen.getByRole("button", { name: /assigned/ }));
  await waitFor(() => expect(asked.at(-1)?.searchParams.get("cancelled")).toBe("false"));
});

it("is sorted by cost, duration and priority, which has one direction", async () => {
  const asked = serveJobs(JOBS);
  const { user, router } = await page("/jobs?status=FAILED");
  await screen.findByText("Alpha");
  for (const [words, address, sort] of [
    ["Most expensive", "?status=FAILED&sort=cost", "-cost_usd"],
    ["Fastest", "?status=FAILED&sort=duration&ascending=true", "duration_s"],
    ["Most urgent", "?status=FAILED&sort=priority", "-priority"],
    ["Longest unchanged", "?status=FAILED&sort=updated&ascending=true", "updated_at"],
  ] as const) {
    await user.selectOptions(screen.getByLabelText("Sort"), words);
    await waitFor(() => expect(router.state.location.searchStr).toBe(address));
    await waitFor(() => expect(asked.at(-1)?.searchParams.get("order")).toBe(sort));
  }
});
