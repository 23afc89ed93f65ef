import { screen, waitFor, within } from "@testing-library/react";
import type { UserEvent } from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { Job } from "@/api/types";
import { JobsPage } from "@/jobs/list/JobsPage";
import { aBatch, aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, onPost, problem, serveJobs } from "@/testing/server";

const JOBS = [
  aJob({ id: "a", title: "Alpha" }),
  aJob({ id: "b", title: "Beta", status: "FAILED" }),
  aJob({ id: "c", title: "Gamma", status: "COMPLETED" }),
];
/** Serve a first page behind which there are more, which cannot be read. */
const serveSome = (jobs: Job[]) =>
  on("get", "/api/jobs", (request) =>
    new URL(request.url).searchParams.get("page_token")
      ? problem(500, "internal_error", "not now")
      : json({ items: jobs, next_page_token: "1" }),
  );
const bar = () => screen.getByRole("region", { name: "Bulk actions" });
const openMenu = (user: UserEvent) => user.click(within(bar()).getByRole("button", { name: "More to do with them" }));
const choose = async (user: UserEvent, verb: string) => {
  const likely = within(bar()).queryByRole("button", { name: verb });
  if (likely) return user.click(likely);
  await openMenu(user);
  await user.click(await screen.findByRole("menuitem", { name: verb }));
};
const page = (address = "/jobs") => renderPage((search) => <JobsPage search={search} />, { address });

it("does not offer to execute none", async () => {
  serveSome(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { COMPLETED: 3 }, capped_at: 10_000 }));
  const { user } = await page("/jobs");
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  await within(bar()).findByRole("button", { name: "Execute", description: /^None/ });
  expect(within(bar()).getByRole("status")).toHaveTextContent("3 match");
  await openMenu(user);
  for (const name of ["Cancel", "Resubmit", "Assign"]) {
    const item = await screen.findByRole("menuitem", { name });
    expect(item).toHaveAttribute("aria-disabled", "true");
    expect(item).toHaveAttribute("title", expect.stringMatching(/^None/));
  }
});

it("is of all that match where more do than are shown, or of these alone", async () => {
  serveSome(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { ASSIGNED: 100, FAILED: 58 }, capped_at: 10_000 }));
  const { user } = await page("/jobs");
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  expect(await within(bar()).findByText("158 match")).toBeVisible();
  await user.click(within(bar()).getByRole("button", { name: "only the 3 shown" }));
  expect(within(bar()).getByRole("status")).toHaveTextContent("3 jobs selected");
  await user.click(within(bar()).getByRole("button", { name: "all that match" }));
  expect(within(bar()).getByRole("status")).toHaveTextContent("158 match");
  await user.click(within(bar()).getByRole("button", { name: "Clear selection" }));
  expect(screen.queryByRole("region", { name: "Bulk actions" })).not.toBeInTheDocument();
});

it.each([
  ["Execute", "execute", {}],
  ["Cancel", "cancel", { reason: "too late" }],
  ["Assign", "assign", { agent_id: "ocr" }],
  ["Remove", "remove", { reason: "of a trial" }],
])("does to all that match: %s, with number, sample and cost first", async (verb, kind, said) => {
  serveSome(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { ASSIGNED: 7, COMPLETED: 10_000 }, capped_at: 10_000 }));
  const sample = [aJob({ id: "x", title: "Sampled" })];
  const preview = { total: 7, items_max: 100_000, counts: {}, sample, cost_usd: "1.5", cost_of: 5 };
  onPost("/api/operations/preview", () => json(preview));
  const asked = onPost("/api/operations", () => json(aBatch({ id: "made", kind }), 201));
  const { user, router } = await page("/jobs?status=ASSIGNED&agent=writer&label=team:a");
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  expect(await within(bar()).findByText("7 match")).toBeVisible();
  await choose(user, verb);
  const dialog = await screen.findByRole("alertdialog", { name: `${verb} 7 jobs?` });
  for (const text of ["All that match: status ASSIGNED, agent writer, label team:a", "Sampled", "and 6 more"])
    expect(dialog).toHaveTextContent(text);
  expect(dialog).not.toHaveTextContent("of these");
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

it("estimates what judging again costs by the policy that is chosen, and says of what that is an estimate", async () => {
  serveJobs(JOBS);
  on("get", "/api/judges", () => json({ items: [{ name: "strict", current: 3, newest: 3 }], validators: [] }));
  on("get", "/api/criteria-sets", () => json({ items: [] }));
  const previews = onPost("/api/operations/preview", async (request) => {
    const { judge } = (await request.json()) as { judge?: string };
    return json({ total: 1, items_max: 10_000, counts: {}, sample: [], cost_usd: judge ? "2" : "1", cost_of: 1 });
  });
  const { user } = await page();
  await user.click(await screen.findByRole("checkbox", { name: "Select all that are shown" }));
  await choose(user, "Judge again");
  const dialog = await screen.findByRole("alertdialog");
  const choice = within(dialog).getByLabelText("Judge policy");
  expect(choice).toHaveDisplayValue("The one that each was judged by");
  expect(await within(dialog).findByText("Estimated cost: $1.00, by what judging them cost last")).toBeVisible();
  await user.selectOptions(choice, await within(dialog).findByRole("option", { name: "strict (version 3)" }));
  const estimate = "Estimated cost: $2.00, by what verdicts by strict cost on average";
  expect(await within(dialog).findByText(estimate)).toBeVisible();
  expect(previews).toHaveLength(2);
});

it.each([
  ["Execute", true],
  ["Cancel", false],
])("says that nobody can estimate the cost of what has one: %s", async (verb, isTold) => {
  serveJobs(JOBS);
  const unknown = { total: 2, items_max: 10, counts: {}, sample: [aJob({ id: "x", title: "Sampled" })] };
  onPost("/api/operations/preview", () => json(unknown));
  const { user } = await page();
  await user.click(await screen.findByRole("checkbox", { name: "Select all that are shown" }));
  await choose(user, verb);
  const dialog = await screen.findByRole("alertdialog");
  await within(dialog).findByText("Sampled");
  expect(within(dialog).queryByText("Estimated cost: not known") !== null).toBe(isTold);
});

it("does nothing to more than can be treated at once", async () => {
  serveSome(JOBS);
  on("get", "/api/job-counts", () => json({ counts: { FAILED: 10_000 }, capped_at: 10_000 }));
  const asked = onPost("/api/operations", () => json(aBatch(), 201));
  onPost("/api/operations/preview", () => json({ total: 100_001, items_max: 100_000, cost_of: 0 }));
  const { user } = await page();
  await user.click(await screen.findByRole("checkbox", { name: "Select all that are shown" }));
  await choose(user, "Execute");
  const dialog = await screen.findByRole("alertdialog", { name: "Execute 100,001 jobs?" });
  expect(dialog).toHaveTextContent("100,000 jobs at most can be treated at once: filter further.");
  await user.click(within(dialog).getByRole("button", { name: "Execute" }));
  expect(asked).toHaveLength(0);
});

it("does to those selected jobs that allow it, as one operation, and says why it could not", async () => {
  serveJobs(JOBS);
  const previews = onPost("/api/operations/preview", () => json({ total: 2, items_max: 10_000, cost_of: 0 }));
  const asked = onPost("/api/operations", () => problem(429, "queue_full", "the queue of default is full"));
  const { user } = await page();
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  await choose(user, "Execute");
  const dialog = await screen.findByRole("alertdialog", { name: "Execute 2 jobs?" });
  expect(dialog).toHaveTextContent("Selected among: all jobs.");
  expect(dialog).toHaveTextContent("1 job of the selection cannot be, and stay as they are.");
  await user.click(within(dialog).getByRole("button", { name: "Execute" }));
  expect(await within(dialog).findByText("the queue of default is full")).toBeVisible();
  for (const request of [previews[0], asked[0]])
    expect(await request?.json()).toEqual({ kind: "execute", job_ids: ["a", "b"] });
});

it("retries what failed of the selection, and shows how it goes", async () => {
  serveJobs(JOBS.slice(1));
  onPost("/api/operations/preview", () => json({ total: 1, items_max: 10_000, cost_of: 0 }));
  const asked = onPost("/api/operations", () => json(aBatch({ id: "made", kind: "retry" }), 201));
  const { user, router } = await page();
  await screen.findByText("Beta");
  await user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  await choose(user, "Execute");
  const dialog = await screen.findByRole("alertdialog", { name: "Execute 1 job?" });
  await user.click(within(dialog).getByRole("button", { name: "Execute" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/made"));
  expect(await asked[0]?.json()).toEqual({ kind: "retry", job_ids: ["b"] });
});

it("says why a button does nothing when it is pressed", async () => {
  serveJobs([aJob({ title: "Job a", status: "COMPLETED" })]);
  const { user } = await page();
  await user.click(await screen.findByRole("checkbox", { name: "Select Job a" }));
  await openMenu(user);
  const item = await screen.findByRole("menuitem", { name: "Execute" });
  expect(item).toHaveAttribute("title", "A job that is completed cannot be executed.");
  await user.click(item);
  expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
});
