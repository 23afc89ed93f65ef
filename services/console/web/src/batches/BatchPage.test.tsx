import { act, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { aBatch, aJob, aLog, anItem } from "@/testing/factories";
import { FakeEventSource } from "@/testing/fake-event-source";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem, serveJobs } from "@/testing/server";
import { BatchPage } from "./BatchPage";

beforeEach(() => {
  on("get", "/api/operations/batch-1/groups", () => json({ groups: [] }));
});

const BATCH_ID = "0b6e31c5-6a4e-4f2c-9a57-7c7a1d9d7b10";

it("does not say that none failed where some are counted, and reads them", async () => {
  const counts = { COMPLETED: 1, FAILED: 5 };
  const read = (...all: object[]) => on("get", "/api/operations/batch-1/items", () => items(...all));
  read();
  serveJobs([]);
  on("get", "/api/operations/batch-1", () => json(aBatch({ counts })));
  const { client } = await renderPage(<BatchPage id="batch-1" />);
  expect(await screen.findByText("5 jobs, being read.")).toBeVisible();
  expect(screen.queryByText(/^None/)).not.toBeInTheDocument();
  read(anItem({ title: "Broken" }));
  act(() => void client.setQueryData(["batch", "batch-1"], aBatch({ counts: { ...counts, FAILED: 6 } })));
  expect(await screen.findByRole("link", { name: "Broken" })).toBeVisible();
});

it.each(["cancel", "assign"])("does not say of what executes nothing that no job was not met: %s", async (kind) => {
  on("get", "/api/operations/batch-1", () => json(aBatch({ kind, state: "DONE", counts: { DONE: 3 } })));
  await renderPage(<BatchPage id="batch-1" />);
  expect(await screen.findByRole("heading", { level: 1 })).toBeVisible();
  expect(screen.queryByText("Not met, or failed")).not.toBeInTheDocument();
});

const GROUP = {
  id: "failed-1",
  kind: "failed",
  code: "agent_status",
  name: "",
  agent_id: "ocr",
  count: 12,
  newest_job_id: "broken",
  message: "it said 500",
  remedy: "see the log of the newest",
  operation: { kind: "retry", filter: { batch_id: BATCH_ID, statuses: ["FAILED"], codes: ["agent_status"] } },
  filter: { batch_id: BATCH_ID, statuses: ["FAILED"], codes: ["agent_status"] },
};

it("has what failed by what it needs, each executed again by two presses and opened as a list", async () => {
  const asked = onPost("/api/operations", () => json(aBatch({ id: "again", kind: "retry" }), 201));
  onPost("/api/operations/preview", () => json({ total: 12, items_max: 100, counts: { FAILED: 12 }, sample: [] }));
  on("get", "/api/operations/batch-1/groups", () => json({ groups: [GROUP] }));
  const { user, router } = await batchPage();
  const groups = await screen.findByRole("list", { name: "By what they need" });
  expect(groups).toHaveTextContent("12 failed with ocr: agent status");
  expect(groups).toHaveTextContent("it said 500");
  const list = within(groups).getByRole("link", { name: "Open as list: 12 failed with ocr: agent status" });
  expect(list).toHaveAttribute("href", `/jobs?status=FAILED&batch=${BATCH_ID}&code=agent_status`);
  await user.click(within(groups).getByRole("button", { name: "Execute 12 again" }));
  await user.click(await screen.findByRole("button", { name: "Execute" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/again"));
  expect(await asked[0]?.json()).toMatchObject({
    kind: "retry",
    filter: { batch_id: BATCH_ID, statuses: ["FAILED"], codes: ["agent_status"] },
  });
});

it("takes a cancellation back at once, by one press", async () => {
  const asked = onPost("/api/operations", () => json(aBatch({ id: "again" }), 201));
  on("get", "/api/operations/batch-1", () => json(aBatch({ kind: "cancel", state: "DONE", counts: { DONE: 102 } })));
  const { user, router } = await renderPage(<BatchPage id="batch-1" />);
  await user.click(await screen.findByRole("button", { name: "Execute these 102 again" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/again"));
  expect(await asked[0]?.json()).toEqual({ kind: "execute", filter: { batch_id: "batch-1", cancelled: true } });
});

it("executes again what was cancelled with a batch, also what it never asked for", async () => {
  const asked = onPost("/api/operations", () => json(aBatch({ id: "again" }), 201));
  on("get", "/api/operations/batch-1/items", () => items(anItem({ job_id: "a" }), anItem({ job_id: "b" })));
  on("get", "/api/operations/batch-1", () => json(aBatch({ state: "CANCELLED", counts: { CANCELLED: 2 } })));
  const { user, router } = await renderPage(<BatchPage id="batch-1" />);
  await user.click(await screen.findByRole("button", { name: "Execute these 2 again" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/again"));
  expect(await asked[0]?.json()).toEqual({ kind: "execute", job_ids: ["a", "b"] });
});

it("says of which jobs it is in the list's own words, and leads there", async () => {
  const filter = { labels: { dear: "yes" }, statuses: ["FAILED"], agent_id: "ocr" } as never;
  on("get", "/api/operations/batch-1", () => json(aBatch({ counts: { COMPLETED: 10 }, filter })));
  await renderPage(<BatchPage id="batch-1" />);
  const jobs = await screen.findByRole("link", { name: "status FAILED, agent ocr, label dear:yes" });
  expect(jobs).toHaveAttribute("href", "/jobs?status=FAILED&agent=ocr&label=dear%3Ayes");
});

it("says in words that there is no such batch", async () => {
  on("get", "/api/operations/batch-1", () => problem(404, "unknown_batch", "no batch has the id batch-1"));
  await renderPage(<BatchPage id="batch-1" />);
  expect(await screen.findByRole("alert")).toHaveTextContent("It is not there" + "no batch has the id batch-1");
});

const FAILED = anItem({ job_id: "broken", title: "Broken", retried_by: "b-2" });
const REFUSED = anItem({ item: 2, outcome: "REFUSED", code: "illegal_transition", message: "the job is COMPLETED" });

async function batchPage(batch = aBatch()) {
  const asked = on("get", "/api/operations/batch-1", () => json(batch));
  const last = aLog({ job_id: "broken", status: "FAILED", code: "agent_status", message: "it answered 400" });
  serveJobs([aJob({ id: "broken", status: "FAILED", last_log: last })]);
  on("get", "/api/operations/batch-1/items", (request) => {
    const isRefused = new URL(request.url).searchParams.getAll("outcome").includes("REFUSED");
    return isRefused
      ? items(REFUSED)
      : items(FAILED, anItem({ item: 1, job_id: "unmet", title: "Unmet", outcome: "REJECTED" }));
  });
  const view = await renderPage(<BatchPage id="batch-1" />);
  await screen.findByRole("heading", { level: 1, name: "Batch of 10 jobs" });
  return { ...view, asked };
}

it("shows what failed and what was refused, each with its code", async () => {
  await batchPage();
  const failures = await screen.findByRole("region", { name: "Failures" });
  expect(await within(failures).findByText("agent_status")).toBeVisible();
  expect(within(failures).getByRole("link", { name: "Unmet" })).toHaveAttribute("href", "/jobs/unmet");
  const refusals = screen.getByRole("region", { name: "Refusals" });
  expect(await within(refusals).findByText("illegal_transition")).toBeVisible();
  expect(within(failures).getByRole("link", { name: "Executed again by b-2" })).toHaveAttribute("href", "/batches/b-2");
  expect(refusals).toHaveTextContent("the job is COMPLETED");
  expect(screen.getByRole("link", { name: "Its jobs in the list" })).toHaveAttribute("href", "/jobs?batch=batch-1");
});

it("pauses at once, and shows it", async () => {
  const operation = aBatch({ state: "PAUSED" });
  const asked = onPost("/api/operations/batch-1/pause", () => json(operation));
  const { user } = await batchPage();
  await user.click(screen.getByRole("button", { name: "More for Batch of 10 jobs" }));
  await user.click(screen.getByRole("menuitem", { name: "Pause" }));
  await waitFor(() => expect(document.querySelector("[data-state]")).toHaveTextContent("Paused"));
  expect(asked).toHaveLength(1);
});

it("cancels once it is confirmed, with a reason; a refusal stays in the dialog", async () => {
  let answer = problem(409, "illegal_transition", "the batch is done");
  const asked = onPost("/api/operations/batch-1/cancel", () => answer);
  const { user } = await batchPage();
  await user.click(screen.getByRole("button", { name: "Cancel what is left" }));
  const dialog = screen.getByRole("alertdialog", { name: "Cancel what is left?" });
  expect(dialog).toHaveTextContent("4 jobs in all");
  await user.type(within(dialog).getByLabelText("Reason"), "too late");
  await user.click(within(dialog).getByRole("button", { name: "Cancel what is left" }));
  expect(await within(dialog).findByText("the batch is done")).toBeVisible();
  const operation = aBatch({ state: "CANCELLING" });
  answer = json(operation);
  await user.click(within(dialog).getByRole("button", { name: "Cancel what is left" }));
  await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
  expect(await asked[1]?.json()).toEqual({ reason: "too late" });
  expect(screen.getByText("Cancelling")).toBeVisible();
});

it("a retry leads to the new batch", async () => {
  onPost("/api/operations/batch-1/retry", () => json(aBatch({ id: "again", retry_of: "batch-1" }), 201));
  const { user, router } = await batchPage(aBatch({ state: "DONE", finished_at: "2026-11-25T00:01:00Z" }));
  await user.click(screen.getByRole("button", { name: "Execute again what failed (1)" }));
  const dialog = screen.getByRole("alertdialog");
  expect(dialog).toHaveTextContent("What failed and still stands there is executed again at once, as a new batch");
  expect(dialog).toHaveTextContent("1 job at most");
  await user.click(within(dialog).getByRole("button", { name: "Execute again what failed" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/again"));
});

it("follows its events while it goes, and lets go of them when it has ended", async () => {
  vi.stubGlobal("EventSource", FakeEventSource);
  const { asked } = await batchPage();
  await waitFor(() => expect(FakeEventSource.last.address).toBe("/api/operations/batch-1/events"));
  const source = FakeEventSource.last;
  const operation = aBatch({ counts: { COMPLETED: 7, FAILED: 1, REFUSED: 1, IN_PROGRESS: 1 } });
  act(() => {
    source.emitOpen();
    source.emit("operation", operation);
  });
  expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "9");
  expect(asked).toHaveLength(1);
  act(() => source.emit("operation", { ...operation, state: "DONE" }));
  expect(source.isClosed).toBe(true);
  await waitFor(() => expect(asked.length).toBeGreaterThan(1));
  vi.unstubAllGlobals();
});
