import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { JobLog, JobStatus } from "@/api/types";
import { aJob, aLog } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { JobErrorPanel } from "./JobErrorPanel";

it("an error says what was tried, that nothing follows, and what to do", async () => {
  const message = "the agent answered 503: out of order; it was call 3 of 3";
  const log = aLog({ status: "FAILED", kind: "failed", code: "agent_status", message, spent_calls: 3, max_calls: 3 });
  await renderPage(<JobErrorPanel job={aJob({ status: "FAILED", execution_id: "execution-1" })} logs={[log]} />);
  const panel = screen.getByRole("region", { name: "Error" });
  for (const text of [
    "agent_status 503",
    "call 3 of 3",
    "attempt 1 with writer",
    "none: it ended here",
    "out of order; it was call 3 of 3",
    "execute again",
  ]) {
    expect(panel).toHaveTextContent(text);
  }
});

it("a call that is made again says when", async () => {
  const next_attempt_at = new Date(Date.now() + 90_000).toISOString();
  const log = aLog({ kind: "call_failed", code: "agent_status", spent_calls: 1, max_calls: 3, next_attempt_at });
  await renderPage(<JobErrorPanel job={aJob({ status: "IN_PROGRESS", execution_id: "execution-1" })} logs={[log]} />);
  const panel = screen.getByRole("region", { name: "Error" });
  for (const text of ["call 1 of 3", "call 2 in 1m", "tried again by itself"]) expect(panel).toHaveTextContent(text);
});

it("an error is gone once the job has gone on", async () => {
  const logs = [aLog({ kind: "attempt_failed", code: "agent_status" }), aLog({ version: 2, code: "result_reused" })];
  const { container } = await renderPage(
    <JobErrorPanel job={aJob({ status: "IN_PROGRESS", execution_id: "execution-1" })} logs={logs} />,
  );
  expect(container).toBeEmptyDOMElement();
});

it.each<[JobStatus, Partial<JobLog>, string]>([
  ["REJECTED", { kind: "declined", code: "agent_declined" }, "The agent declined the job."],
  ["RESUBMISSION_REQUIRED", { kind: "not_met", code: "no_progress" }, "The new result equals the one before"],
  ["PENDING", { kind: "matching_failed", code: "matching_failed", execution_id: undefined }, "No enabled agent has"],
])("a job that is %s says why nothing follows by itself", async (status, fields, words) => {
  await renderPage(
    <JobErrorPanel job={aJob({ status })} logs={[aLog(fields), aLog({ version: 2, kind: "edited" })]} />,
  );
  const panel = screen.getByRole("region", { name: "Error" });
  expect(panel).toHaveTextContent(words);
  expect(panel).not.toHaveTextContent("Next attempt");
});
