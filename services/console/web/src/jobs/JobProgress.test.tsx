import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { aJob, aLog } from "@/testing/factories";
import { JobProgress } from "./JobProgress";

const RUNNING = aJob({
  status: "IN_PROGRESS",
  execution_id: "execution-1",
  policy: { max_submissions: 3, max_attempts: 4 },
});

it("tells phase, submission and attempt", () => {
  render(<JobProgress job={{ ...RUNNING, progress: 0.42 }} logs={[aLog({ attempt: 2 })]} />);
  expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "42");
  for (const text of ["the agent works", "submission 1 of 3", "attempt 2 of 4"])
    expect(screen.getByText(text)).toBeVisible();
});

it("says when the result is being judged", () => {
  render(<JobProgress job={RUNNING} logs={[aLog(), aLog({ version: 2, kind: "result" })]} />);
  expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuetext", "judging");
});

it("promises no share that nobody told of", () => {
  render(<JobProgress job={RUNNING} logs={[]} />);
  expect(screen.getByRole("progressbar")).not.toHaveAttribute("aria-valuenow");
});

it("is not there once the job is over", () => {
  const { container } = render(<JobProgress job={aJob({ status: "COMPLETED" })} logs={[]} />);
  expect(container).toBeEmptyDOMElement();
});
