import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Job, JobLog } from "@/api/types";
import { groupBySubmission } from "@/jobs/model/submissions";
import { aJob, aLog } from "@/testing/factories";
import { JobProgress, LastExecution } from "./JobProgress";

const RUNNING = aJob({ status: "IN_PROGRESS", execution_id: "execution-1", policy: { max_submissions: 3 } });
const LATER = new Date(Date.now() + 90_000).toISOString();
const NOW = new Date(Date.now() - 5_000).toISOString();
const ASKED = aLog({ kind: "requested", status: "ASSIGNED", created_at: NOW });
const BEGUN = aLog({ version: 2, spent_calls: 0, max_calls: 4, created_at: NOW });
const told = (version: number, progress: number, message: string, spent_calls = 0) =>
  aLog({ version, kind: "progress", progress, message, spent_calls, max_calls: 4 });
const failed = (fields: Partial<JobLog>) =>
  aLog({ version: 4, kind: "call_failed", code: "agent_status", spent_calls: 1, max_calls: 4, ...fields });

function shown(logs: JobLog[], job: Partial<Job> = {}): HTMLElement {
  render(<JobProgress job={{ ...RUNNING, ...job }} logs={logs} />);
  return screen.getByRole("progressbar", { name: "Progress" });
}

it("tells phase, call, share and what the agent said", () => {
  const bar = shown([ASKED, BEGUN, told(3, 0.42, "reading")]);
  expect(bar).toHaveAttribute("aria-valuenow", "42");
  expect(bar).toHaveAttribute("aria-valuetext", "42 %, the agent works, call 1 of 4");
  for (const text of ["the agent works", "call 1 of 4", "42 %", "submission 1 of 3", "reading"])
    expect(screen.getByText(text)).toBeVisible();
});

it.each<[string, JobLog[], Partial<Job>, string]>([
  ["an execution that nobody took", [ASKED], { status: "ASSIGNED", live: true }, "waits for a worker"],
  ["the next submission", [ASKED], { status: "ASSIGNED", live: true, submission: 2 }, "being resubmitted"],
  ["one for later", [ASKED], { status: "ASSIGNED", live: true, not_before: LATER }, "waits for its time"],
  [
    "a call that failed",
    [ASKED, BEGUN, failed({ next_attempt_at: LATER })],
    {},
    "waits for its next call, call 2 of 4",
  ],
  ["a call made again", [ASKED, BEGUN, failed({ next_attempt_at: NOW })], {}, "the agent works, call 2 of 4"],
  ["a lost worker", [BEGUN, failed({ kind: "lapsed", next_attempt_at: NOW })], {}, "waits for a worker, call 2 of 4"],
  ["a stopped worker", [BEGUN, failed({ kind: "given_back", spent_calls: 0 })], {}, "waits for a worker, call 1 of 4"],
  ["a result", [BEGUN, aLog({ version: 3, kind: "result" })], {}, "judging"],
  ["what is not known", [], {}, "the agent works"],
])("says of %s what it is at", (_, logs, job, said) => {
  const bar = shown(logs, job);
  expect(bar).toHaveAttribute("aria-valuetext", said);
  expect(bar).not.toHaveAttribute("aria-valuenow");
});

it("what was told of another call is no part of this one", () => {
  const bar = shown([BEGUN, told(3, 0.8, "nearly done"), failed({ next_attempt_at: NOW })], { progress: 0.8 });
  expect(bar).not.toHaveAttribute("aria-valuenow");
  expect(screen.queryByText("nearly done")).not.toBeInTheDocument();
});

it("a share that goes back says so", () => {
  shown([BEGUN, told(3, 0.8, "nearly done"), told(4, 0.5, "once more")]);
  expect(screen.getByText("50 %, after 80 %: the agent says less than before")).toBeVisible();
});

it("the deadline is a moment, and is counted from when the execution may begin", () => {
  shown([aLog({ kind: "requested", created_at: NOW })], { not_before: LATER, policy: { deadline_s: 60 } });
  expect(screen.getByText(/^must be done by/)).toHaveTextContent(/\(in 2m (2\d|30)s\)/);
});

it("a lease that lapsed and was renewed after all is no wait", () => {
  shown([
    aLog({ version: 1, kind: "call_begun", created_at: NOW }),
    aLog({ version: 2, kind: "lapsed", code: "lease_lapsed", created_at: NOW }),
    aLog({ version: 3, kind: "progress", progress: 0.5, created_at: NOW }),
  ]);
  expect(screen.getByText("the agent works")).toBeVisible();
  expect(screen.queryByText("waits for a worker")).not.toBeInTheDocument();
});

it("tells of a job that is over where the time of its last execution went", () => {
  const at = (second: number) => `2026-11-25T00:00:${String(second).padStart(2, "0")}Z`;
  const steps = [
    ["requested", 0],
    ["claimed", 21],
    ["result", 25],
    ["met", 27],
  ] as const;
  const logs = steps.map(([kind, second], version) =>
    aLog({
      version,
      kind,
      created_at: at(second),
      duration_s: kind === "result" ? 4 : undefined,
      status: kind === "met" ? "COMPLETED" : "IN_PROGRESS",
    }),
  );
  const { rerender } = render(<LastExecution job={aJob({ status: "COMPLETED" })} />);
  expect(screen.getByText("Not executed yet")).toBeVisible();
  rerender(<LastExecution job={aJob({ status: "COMPLETED" })} last={groupBySubmission(logs)[0]} />);
  expect(screen.getByText("waited 21 s, ran 4.0 s, judged 2.0 s")).toBeVisible();
});

it("a job that was cancelled says so, and why", () => {
  const logs = [
    ASKED,
    aLog({ version: 2, kind: "cancelled", status: "CANCELLED", message: "cancelled: it is cloudy" }),
  ];
  render(<LastExecution job={aJob({ status: "ASSIGNED", cancelled: true })} last={groupBySubmission(logs)[0]} />);
  expect(screen.getByRole("heading", { name: "cancelled: it is cloudy" })).toBeVisible();
});
