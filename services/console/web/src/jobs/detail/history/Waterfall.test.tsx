import { act, screen, waitFor, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import type { JobLog } from "@/api/types";
import { JobPage } from "@/jobs/detail/JobPage";
import { aJob, aLog } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, serveJob } from "@/testing/server";

const BEGIN = Date.parse("2026-11-25T00:00:00Z");
const entry = (version: number, kind: string, seconds: number, fields: Partial<JobLog> = {}) =>
  aLog({ version, kind, created_at: new Date(BEGIN + seconds * 1_000).toISOString(), message: kind, ...fields });
const AGAIN = new Date(BEGIN + 10_000).toISOString();
const LIFE = [
  entry(1, "created", -1, { execution_id: undefined, submission: undefined, status: "ASSIGNED" }),
  entry(2, "requested", 0, { status: "ASSIGNED" }),
  entry(3, "call_begun", 1),
  entry(4, "call_failed", 3, { next_attempt_at: AGAIN, duration_s: 2, code: "agent_timeout" }),
  entry(5, "call_begun", 12),
  entry(6, "progress", 13, { progress: 0.5 }),
  entry(7, "result", 14, { duration_s: 2 }),
  entry(8, "met", 20, { status: "COMPLETED", job_status: "COMPLETED", duration_s: 1 }),
];

it("shows where the time of a job went: a row a call, exact times for all, in the order of time", async () => {
  serveJob(aJob({ status: "COMPLETED", version: 8, execution_id: "execution-1" }), LIFE);
  await renderPage(<JobPage id="poem" />);
  const [first, second, ...more] = within(await screen.findByRole("list", { name: "Calls" })).getAllByRole("listitem");
  expect(more).toHaveLength(0);
  expect(first).toHaveTextContent("Submission 1, call 1 · writer");
  const names = (row?: HTMLElement) =>
    within(row as HTMLElement)
      .getAllByRole("button")
      .map((bar) => bar.getAttribute("aria-label")?.split(", from")[0]);
  expect(names(first)).toEqual(["1.0 s in the queue", "2.0 s with the agent"]);
  expect(names(second)).toEqual([
    ...["7.0 s before the next call", "2.0 s in the queue", "2.0 s with the agent"],
    ...["5.0 s in the queue for the judge", "1.0 s with the judge"],
  ]);
  const agent = within(second as HTMLElement).getByRole("button", { name: /with the agent/ });
  expect(agent).toHaveAttribute("title", expect.stringMatching(/from 25 Nov 2026, 00:00:12 .* to .*00:00:14/s));
  expect(agent).toHaveAttribute("title", expect.stringMatching(/50 % reported at/));
  expect(agent).toHaveStyle({ left: "60%" });
  const layers = within(second as HTMLElement)
    .getAllByRole("button")
    .map((bar) => Number(bar.style.zIndex));
  expect(layers, "what is too short to be seen lies above what follows").toEqual([5, 4, 3, 2, 1]);
  expect(screen.getByRole("list", { name: "In all" })).toHaveTextContent("7.0 s before the next call");
});

it("a past wait in the queue says for what, part by part", async () => {
  const time = (seconds: number) => new Date(BEGIN + seconds * 1_000).toISOString();
  const waited = [{ code: "limit_concurrency", name: "tenant:press", since: time(0.2), until: time(0.8) }];
  const logs = [...LIFE.slice(0, 2), entry(3, "claimed", 1, { waited }), entry(4, "call_begun", 1)];
  serveJob(aJob({ status: "COMPLETED", version: 4, execution_id: "execution-1" }), logs);
  await renderPage(<JobPage id="poem" />);
  const bar = await screen.findByRole("button", { name: /in the queue.*600 ms: limit tenant:press is reached/ });
  expect(bar.children[1]).toHaveStyle({ left: "20%" });
  expect(screen.getByRole("list", { name: "In the queue" })).toHaveTextContent("600 ms limit tenant:press is reached");
});

it("a span leads to the entry with which it began, however old it is", async () => {
  const told = vi.spyOn(console, "error");
  const reports = Array.from({ length: 300 }, (_, at) => entry(5 + at, "progress", 13, { progress: 0.5 }));
  const logs = [...LIFE.slice(0, 4), ...reports];
  serveJob(aJob({ status: "IN_PROGRESS", version: 304, execution_id: "execution-1", live: true }), logs);
  on("get", "/api/jobs/poem/waiting", () => json({ reasons: [] }));
  const { user } = await renderPage(<JobPage id="poem" />);
  await user.click(await screen.findByRole("button", { name: /^2.0 s with the agent/ }));
  expect(screen.getByRole("tab", { name: "Entries", selected: true })).toBeVisible();
  const message = await screen.findByText("call_begun");
  await waitFor(() => expect(message.closest("[data-version]")).toHaveFocus());
  expect(told.mock.calls.flat().filter((words) => /same key/.test(String(words)))).toEqual([]);
});

it("a wait that goes on is told with its reason", async () => {
  const requested = { ...LIFE[1], created_at: new Date(Date.now() - 5_000).toISOString() } as JobLog;
  serveJob(aJob({ live: true, version: 2, execution_id: "execution-1" }), [requested]);
  const reason = { code: "no_worker", name: "executor", owner: "operator", remedy: "start one" };
  on("get", "/api/jobs/poem/waiting", () => json({ since: requested.created_at, reasons: [reason] }));
  await renderPage(<JobPage id="poem" />);
  expect(
    await screen.findByRole("button", { name: /in the queue, from .* until now, no executor is running/ }),
  ).toBeVisible();
});

it("a submission that is tried again after a failure says which try a call is of", async () => {
  const failed = entry(3, "failed", 1, { status: "FAILED" });
  const again = [2, 3].map((version) => ({ ...[LIFE[1], failed][version - 2]!, version: version + 2 }));
  const logs = [...LIFE.slice(0, 2), failed, ...again.map((log) => ({ ...log, execution_id: "execution-2" }))];
  serveJob(aJob({ status: "FAILED", version: 5, execution_id: "execution-2" }), logs);
  await renderPage(<JobPage id="poem" />);
  const rows = within(await screen.findByRole("list", { name: "Calls" })).getAllByRole("listitem");
  expect(rows.map((row) => row.textContent?.split(" · ")[0])).toEqual([
    "Submission 1, call 1",
    "Submission 1 (try 2), call 1",
  ]);
});

it("what holds a job back looks different for each cause, in the bar and in its legend", async () => {
  const time = (seconds: number) => new Date(BEGIN + seconds * 1_000).toISOString();
  const codes = [
    "limit_paused",
    "limit_concurrency",
    "limit_rate",
    "circuit_open",
    "no_worker",
    "no_room",
    "not_before",
  ];
  const waited = codes.map((code, at) => ({ code, name: "x", since: time(at / 10), until: time(at / 10 + 0.1) }));
  const logs = [...LIFE.slice(0, 2), entry(3, "claimed", 1, { waited }), entry(4, "call_begun", 1)];
  serveJob(aJob({ status: "COMPLETED", version: 4, execution_id: "execution-1" }), logs);
  await renderPage(<JobPage id="poem" />);
  const legend = within(await screen.findByRole("list", { name: "In the queue" })).getAllByRole("listitem");
  const inks = legend.map((item) => item.firstElementChild?.className);
  expect(new Set(inks).size).toBe(codes.length);
  const bar = screen.getByRole("button", { name: /in the queue/ });
  const parts = [...bar.children]
    .slice(1)
    .map((part) => part.className.split(" ").filter((name) => /^bg-|^striped/.test(name)));
  for (const [at, names] of parts.entries()) for (const name of names) expect(inks[at]?.split(" ")).toContain(name);
});

it("shows its exact times to those who come to a span by keyboard, too", async () => {
  serveJob(aJob({ status: "COMPLETED", version: 8, execution_id: "execution-1" }), LIFE);
  await renderPage(<JobPage id="poem" />);
  const bar = await screen.findByRole("button", { name: /^1.0 s in the queue/ });
  expect(bar).not.toHaveTextContent("from 25 Nov 2026");
  act(() => bar.focus());
  expect(bar).toHaveTextContent("1.0 s in the queue");
  expect(bar).toHaveTextContent(/from 25 Nov 2026, 00:00:00 .* to .*00:00:01/);
  act(() => bar.blur());
  expect(bar).not.toHaveTextContent("from 25 Nov 2026");
});

it("a job that nobody executed says so", async () => {
  serveJob(aJob(), LIFE.slice(0, 1));
  await renderPage(<JobPage id="poem" />);
  expect(await screen.findByText("It has not been executed yet.")).toBeVisible();
});
