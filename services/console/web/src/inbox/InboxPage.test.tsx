import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import type { Inbox, InboxGroup } from "@/api/types";
import { createQueryClient } from "@/live/query-client";
import { aBatch, aJob, anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem, serveJob, serveJobs } from "@/testing/server";
import { InboxPage } from "./InboxPage";

const AT = "2026-11-25T00:00:00Z";
const FILTER = { ...aFilter(), statuses: ["FAILED"], agent_id: "writer", codes: ["agent_timeout"], created_after: AT };

function aFilter(): NonNullable<InboxGroup["filter"]> {
  const lists = { not_agent_ids: [], not_tenants: [], not_labels: [], not_batch_ids: [], not_codes: [] };
  return { statuses: [], labels: {}, codes: [], reasons: [], ...lists, not_criteria_not_met: [] };
}

function aGroup(fields: Partial<InboxGroup> = {}): InboxGroup {
  return {
    id: "failed-1",
    kind: "failed",
    code: "agent_timeout",
    name: "",
    agent_id: "writer",
    count: 38,
    has_more: false,
    since: AT,
    newest_at: AT,
    newest_job_id: "poem",
    newest_title: "A poem",
    message: "no answer within 30 s",
    remedy: "allow more time",
    operation: { kind: "retry", filter: FILTER },
    filter: FILTER,
    ...fields,
  };
}

const aWait = (code: string, name: string, fields: Partial<InboxGroup> = {}): InboxGroup => ({
  ...{ id: `${code}-1`, kind: "paused", code, name, count: 3, has_more: false, remedy: "resume it" },
  ...fields,
});

function anInbox(...groups: InboxGroup[]): Inbox {
  const happened = { since: AT, ended: 1_204, completed: 1_096, failed: 38, acceptance_rate: 0.94, cost_usd: "44.16" };
  return { groups, count: groups.filter(({ snoozed_until: until }) => until == null).length, happened };
}

/** Serve an inbox to the first read, which says that somebody looks, and to those that follow. */
function serve(inbox: Inbox) {
  on("get", "/api/inbox", () => json(inbox));
  return on("put", "/api/inbox", () => json(inbox));
}

beforeEach(() => {
  localStorage.clear();
  serveJobs([aJob({ title: "Alpha" })]);
});

it("says in groups what needs somebody, and above what happened since the last visit", async () => {
  serve(anInbox(aWait("no_worker", "", { kind: "no_worker" }), aGroup({ has_more: true })));
  await renderPage(<InboxPage />);
  const groups = within(await screen.findByRole("region", { name: "What needs you" })).getAllByRole("listitem");
  expect(groups.map((group) => group.getAttribute("aria-label"))).toEqual([
    "3 wait: no executor is running",
    "38+ failed with writer: agent timeout",
  ]);
  const [, failed] = groups as [HTMLElement, HTMLElement];
  expect(within(failed).getByText("no answer within 30 s")).toBeVisible();
  expect(within(failed).getByRole("link", { name: "A poem" })).toHaveAttribute("href", "/jobs/poem");
  const list = within(failed).getByRole("link", { name: /^Open as list: 38\+ failed/ });
  const asked = new URL(list.getAttribute("href") ?? "", "http://x");
  expect(asked.pathname).toBe("/jobs");
  expect(Object.fromEntries(asked.searchParams)).toEqual({
    ...{ status: "FAILED", agent: "writer", code: "agent_timeout", from: AT },
  });
  expect(screen.getByText(/^Since .*: 1,204 ended, 94 % accepted, 38 failed, \$44\.16$/)).toBeVisible();
  expect(document.title).toBe("(2) Inbox · Signoff");
  expect(
    within(screen.getByRole("region", { name: "Newest jobs" })).getByRole("link", { name: "Alpha" }),
  ).toBeVisible();
});

it("retries a group by two clicks, after it was said what that will do", async () => {
  serve(anInbox(aGroup()));
  const preview = { total: 38, items_max: 100, counts: {}, sample: [aJob({ title: "Sampled" })], cost_of: 0 };
  onPost("/api/operations/preview", () => json(preview));
  const asked = onPost("/api/operations", () => json(aBatch({ id: "made", kind: "retry" }), 201));
  const { user, router } = await renderPage(<InboxPage />);
  await user.click(await screen.findByRole("button", { name: "Execute 38 again" }));
  const dialog = await screen.findByRole("alertdialog", { name: "Execute 38 jobs?" });
  expect(within(dialog).getByText("Sampled")).toBeVisible();
  await user.click(within(dialog).getByRole("button", { name: "Execute" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/made"));
  const filter = { statuses: ["FAILED"], agent_id: "writer", codes: ["agent_timeout"] };
  expect(await asked[0]?.json()).toEqual({
    kind: "retry",
    filter: { ...filter, created_after: "2026-11-25T00:00:00.000Z" },
  });
});

it("does at once what a group waits for", async () => {
  serve(anInbox(aWait("limit_paused", "agent:writer")));
  const asked = onPost("/api/agents/writer/resume", () => json(anAgent()));
  const { user } = await renderPage(<InboxPage />);
  await user.click(await screen.findByRole("button", { name: "Resume agent" }));
  expect(await screen.findByRole("button", { name: "Done" })).toHaveAttribute("aria-disabled", "true");
  expect(asked).toHaveLength(1);
});

it("closes a circuit again that has opened again", async () => {
  serve(anInbox(aWait("circuit_open", "writer", { since: AT })));
  on("patch", "/api/agents/writer", () => json(anAgent()));
  const { user, client } = await renderPage(<InboxPage />);
  await user.click(await screen.findByRole("button", { name: "Close circuit" }));
  await screen.findByRole("button", { name: "Done" });
  const again = anInbox(aWait("circuit_open", "writer", { since: "2026-11-25T00:00:09Z" }));
  client.setQueryData(["inbox", null], again);
  expect(await screen.findByRole("button", { name: "Close circuit" })).not.toHaveAttribute("aria-disabled");
});

it("says why it could not be done", async () => {
  serve(anInbox(aWait("limit_paused", "agent:writer")));
  onPost("/api/agents/writer/resume", () => problem(403, "forbidden", "not with this token"));
  const { user } = await renderPage(<InboxPage />);
  await user.click(await screen.findByRole("button", { name: "Resume agent" }));
  expect(await screen.findByText("not with this token")).toBeVisible();
});

it("notices at a press that the session has ended", async () => {
  serve(anInbox(aWait("circuit_open", "writer")));
  on("patch", "/api/agents/writer", () => problem(401, "unauthenticated", "sign in"));
  const leadToSignIn = vi.fn();
  const { user } = await renderPage(<InboxPage />, { client: createQueryClient(leadToSignIn) });
  await user.click(await screen.findByRole("button", { name: "Close circuit" }));
  await waitFor(() => expect(leadToSignIn).toHaveBeenCalledOnce());
});

it("puts a group off by the viewer's name, and takes that back", async () => {
  const group = aGroup();
  serve(anInbox(group));
  const { user } = await renderPage(<InboxPage />);
  const putOff = { ...group, snoozed_until: "2026-12-09T00:00:00Z" };
  await screen.findByRole("button", { name: "Execute 38 again" });
  const snoozed = serve(anInbox(putOff));
  await user.click(screen.getByRole("button", { name: "Not now" }));
  expect(await screen.findByText("Nothing needs you")).toBeVisible();
  expect(await snoozed[0]?.json()).toEqual({ snoozed: ["failed-1"] });
  const shown = serve(anInbox(group));
  await user.click(await screen.findByText("Not now: 1 group"));
  await user.click(screen.getByRole("button", { name: "Show again" }));
  expect(await screen.findByRole("button", { name: "Execute 38 again" })).toBeVisible();
  expect(await shown[0]?.json()).toEqual({ shown: ["failed-1"] });
});

it("says why the inbox cannot be read, and shows the newest jobs all the same", async () => {
  for (const verb of ["get", "put"] as const)
    on(verb, "/api/inbox", () => problem(403, "forbidden", "not with this token"));
  await renderPage(<InboxPage />);
  expect(await screen.findByText("not with this token")).toBeVisible();
  expect(screen.getByRole("link", { name: "Alpha" })).toBeVisible();
  expect(screen.queryByText("Nothing needs you")).not.toBeInTheDocument();
});

it("leads through the first steps where there is no job, until they are done", async () => {
  serve(anInbox());
  serveJobs([]);
  on("get", "/api/agents", () => items(anAgent({ id: "drafter", name: "Drafter" })));
  const made = aJob({ id: "letter", status: "IN_PROGRESS", agent_id: "drafter" });
  const asked = onPost("/api/jobs", () => json(made, 201));
  onPost("/api/jobs/letter/execute", () => json({}, 201));
  serveJob(made);
  const { user, client } = await renderPage(<InboxPage />);
  const steps = await screen.findByRole("region", { name: "First steps" });
  await user.click(within(steps).getByRole("button", { name: "Make it" }));
  expect(await within(steps).findByRole("link", { name: "Watch" })).toHaveAttribute("href", "/jobs/letter");
  expect(await asked[0]?.json()).toMatchObject({ agent_id: "drafter", tenant: "default" });
  client.setQueryData(["jobs", "detail", "letter"], { ...made, version: 5, status: "RESUBMISSION_REQUIRED" });
  expect(await within(steps).findByRole("link", { name: "See why" })).toBeVisible();
  onPost("/api/jobs/letter/resubmit", () => json({}, 201));
  serveJob({ ...made, version: 9, status: "COMPLETED", submission: 2 });
  await user.click(within(steps).getByRole("button", { name: "Resubmit" }));
  expect(await within(steps).findByText("Accepted at the second submission")).toBeVisible();
  await user.click(within(steps).getByRole("button", { name: "Done" }));
  expect(steps).not.toBeInTheDocument();
});

it("offers no first steps where they were dismissed, or where there is no agent for them", async () => {
  serve(anInbox());
  serveJobs([]);
  const page = await renderPage(<InboxPage />);
  expect(await screen.findByText("No jobs yet")).toBeVisible();
  expect(screen.queryByRole("region", { name: "First steps" })).not.toBeInTheDocument();
  page.unmount();
  on("get", "/api/agents", () => items(anAgent({ id: "drafter", name: "Drafter" })));
  const { user } = await renderPage(<InboxPage />);
  await user.click(await screen.findByRole("button", { name: "Dismiss the first steps" }));
  expect(screen.queryByRole("region", { name: "First steps" })).not.toBeInTheDocument();
});
