import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { JobsPage } from "@/jobs/list/JobsPage";
import { aBatch, aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, onPost, problem, serveJobs } from "@/testing/server";
import { describeMatching, toFilter } from "./operation";

const JOBS = [
  aJob({ id: "a", title: "Alpha" }),
  aJob({ id: "b", title: "Beta", status: "FAILED" }),
  aJob({ id: "c", title: "Gamma", status: "COMPLETED" }),
];
const NOW = Date.parse("2026-11-25T01:00:00Z");
const page = (address = "/") => renderPage((search) => <JobsPage search={search} />, { address });

it("does not offer to execute none", async () => {
  serveJobs(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { COMPLETED: 3 }, capped_at: 10_000 }));
  const { user } = await page("/");
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  const all = screen.getByRole("group", { name: "All that match" });
  for (const verb of ["Execute", "Cancel", "Resubmit", "Assign", "Retry"]) {
    const button = await within(all).findByRole("button", {
      name: `${verb} all 3 jobs that match`,
      description: /^No/,
    });
    expect(button).toHaveAttribute("aria-disabled", "true");
  }
  expect(screen.queryByText(/\b0 jobs/)).not.toBeInTheDocument();
});

it.each([
  ["Execute", "execute", {}],
  ["Cancel", "cancel", { reason: "too late" }],
  ["Assign", "assign", { agent_id: "ocr" }],
])("does to all that match: %s, with number, sample and cost first", async (verb, kind, said) => {
  serveJobs(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { ASSIGNED: 7, COMPLETED: 10_000 }, capped_at: 10_000 }));
  const sample = [aJob({ id: "x", title: "Sampled" })];
  const preview = { total: 7, items_max: 100_000, counts: {}, sample, cost_usd: 1.5, cost_of: 5 };
  onPost("/api/operations/preview", () => json(preview));
  const asked = onPost("/api/operations", () => json(aBatch({ id: "made", kind }), 201));
  const { user, router } = await page("/?status=ASSIGNED&agent=writer&label=team:a");
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  await user.click(await screen.findByRole("button", { name: `${verb} all 7 jobs that match` }));
  const dialog = await screen.findByRole("alertdialog", { name: `${verb} 7 jobs?` });
  for (const text of ["All that match: status ASSIGNED, agent writer, label team:a", "Sampled", "and 6 more"])
    expect(dialog).toHaveTextContent(text);
  expect(dialog).toHaveTextContent("Estimated cost: $1.50, of 5 of them");
  await user.type(within(dialog).getByLabelText("Name"), "tidy up");
  if ("reason" in said) await user.type(within(dialog).getByLabelText("Reason"), said.reason as string);
  if ("agent_id" in said) await user.selectOptions(within(dialog).getByLabelText("Agent"), said.agent_id as string);
  await user.click(within(dialog).getByRole("button", { name: verb }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/made"));
  const filter = { statuses: ["ASSIGNED"], cancelled: false, agent_id: "writer", labels: { team: "a" } };
  expect(await asked[0]?.json()).toEqual({ kind, filter, name: "tidy up", ...said });
  expect(asked[0]?.headers.get("Idempotency-Key")).toBeTruthy();
});

it("does nothing to more than can be treated at once", async () => {
  serveJobs(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { FAILED: 10_000 }, capped_at: 10_000 }));
  const asked = onPost("/api/operations", () => json(aBatch(), 201));
  onPost("/api/operations/preview", () => json({ total: 100_001, items_max: 100_000, cost_of: 0 }));
  const { user } = await page();
  await user.click(await screen.findByRole("checkbox", { name: "Select all that are shown" }));
  await user.click(await screen.findByRole("button", { name: /^Execute all .* that match$/ }));
  const dialog = await screen.findByRole("alertdialog", { name: "Execute 100,001 jobs?" });
  expect(dialog).toHaveTextContent("100,000 jobs at most can be treated at once: filter further.");
  await user.click(within(dialog).getByRole("button", { name: "Execute" }));
  expect(asked).toHaveLength(0);
});

it("makes a batch of what is selected, and says why it could not", async () => {
  serveJobs(JOBS);
  onPost("/api/operations/preview", () => json({ total: 3, items_max: 10_000, cost_of: 0 }));
  const asked = onPost("/api/operations", () => problem(429, "queue_full", "the queue of default is full"));
  const { user } = await page();
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  await user.click(screen.getByRole("button", { name: "Execute as a batch" }));
  const dialog = await screen.findByRole("alertdialog", { name: "Execute 3 jobs?" });
  await user.click(within(dialog).getByRole("button", { name: "Execute" }));
  expect(await within(dialog).findByText("the queue of default is full")).toBeVisible();
  expect(await asked[0]?.json()).toEqual({ kind: "execute", job_ids: ["a", "b", "c"] });
});

it("what is done to all is done to those that allow it, and match", () => {
  expect(toFilter("execute", {}, NOW)).toEqual({ statuses: ["PENDING", "ASSIGNED", "FAILED"] });
  expect(toFilter("retry", { text: "x", period: "1h", status: ["FAILED", "REJECTED"] }, NOW)).toEqual({
    statuses: ["FAILED"],
    created_after: "2026-11-25T00:00:00.000Z",
    text: "x",
  });
  expect(describeMatching(undefined, {})).toBe("all jobs");
  expect(describeMatching({ counts: { FAILED: 100, COMPLETED: 5 }, capped_at: 100, cancelled: 0 }, {})).toBe(
    "all of at least 105 jobs",
  );
  expect(describeMatching({ counts: { FAILED: 2 }, capped_at: 100, cancelled: 0, searched: 10 }, {})).toBe(
    "all of at least 2 jobs",
  );
});
