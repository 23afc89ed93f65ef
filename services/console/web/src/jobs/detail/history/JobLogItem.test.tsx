import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { JobLogStatus } from "@/api/types";
import { STATUS_LOOKS } from "@/jobs/model/status";
import { aJob, aLog } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { on, problem, serveJob } from "@/testing/server";
import { JobLogItem } from "./JobLogItem";

it.each(Object.keys(STATUS_LOOKS) as JobLogStatus[])("a log of %s is told in words", async (status) => {
  await renderPage(<JobLogItem log={aLog({ status, message: "what happened" })} />);
  expect(screen.getByRole("listitem")).toHaveTextContent(STATUS_LOOKS[status].word);
  expect(screen.getByRole("listitem")).toHaveTextContent("what happened");
});

it("tells agent, attempt, code, the agent's own name for the work, and how long after the one before", async () => {
  const log = aLog({
    version: 4,
    attempt: 2,
    kind: "call_failed",
    code: "agent_timeout",
    spent_calls: 2,
    max_calls: 3,
    handle: "task-7",
  });
  await renderPage(<JobLogItem log={log} before={aLog({ version: 1 })} />);
  const item = screen.getByRole("listitem");
  for (const text of [
    "writer",
    "attempt 2",
    "call 2 of 3",
    "agent_timeout",
    "work task-7",
    "3.0 s after the previous entry",
  ])
    expect(item).toHaveTextContent(text);
  expect(item.querySelector("time")).toHaveAttribute("datetime", log.created_at);
  expect(screen.getByTitle(/^25 Nov 2026, 00:00:04/)).toBeVisible();
  expect(screen.getByText("agent_timeout")).toHaveAttribute("title", expect.stringMatching(/did not answer within/));
});

it("a result that came late says so", async () => {
  await renderPage(<JobLogItem log={aLog({ kind: "result", status: "CANCELLED" })} />);
  expect(screen.getByText("it came late, is kept, and is not judged")).toBeVisible();
});

it("reads and shows what was asked on demand alone", async () => {
  const log = aLog({ kind: "requested", request: { topic: "June" } });
  const asked = serveJob(aJob(), [aLog({ version: 2 }), log]);
  const { user } = await renderPage(<JobLogItem log={{ ...log, request: null }} />);
  const button = screen.getByRole("button", { name: "Request" });
  expect(asked).toHaveLength(0);
  await user.click(button);
  expect(button).toHaveAttribute("aria-expanded", "true");
  expect(await screen.findByText(/June/)).toBeVisible();
});

it("says so where a body cannot be had", async () => {
  on("get", "/api/jobs/poem/logs", () => problem(404, "unknown_job", "there is no job poem"));
  const { user } = await renderPage(<JobLogItem log={aLog({ kind: "progress" })} />);
  await user.click(screen.getByRole("button", { name: "Response" }));
  expect(await screen.findByText("there is no job poem")).toBeVisible();
});

it.each<[string, string[]]>([
  ["created", ["Request"]],
  ["edited", ["Request"]],
  ["progress", ["Response"]],
  ["result", ["Result"]],
  ["not_met", ["Result"]],
  ["claimed", []],
])("an entry of the kind %s holds %j", async (kind, names) => {
  await renderPage(<JobLogItem log={aLog({ kind })} />);
  expect(screen.queryAllByRole("button").map((each) => each.textContent)).toEqual(names);
});
