import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { OperationState } from "@/api/types";
import { aBatch } from "@/testing/factories";
import { formatRate } from "./BatchFigures";
import { BatchBar, BatchLegend, share } from "./BatchProgress";
import { BatchStateBadge } from "./BatchStateBadge";
import {
  BATCH_ACTIONS,
  type BatchAction,
  describeOperation,
  describeState,
  explainRefusal,
  findStep,
  nameAction,
  STATE_LOOKS,
} from "./batch-state";

const ALLOWED: Record<OperationState, string[]> = {
  RUNNING: ["pause", "cancel"],
  PAUSED: ["resume", "cancel"],
  CANCELLING: [],
  CANCELLED: ["retry"],
  DONE: ["retry"],
};

it.each(Object.entries(ALLOWED))("a batch that is %s can be treated so: %s", (state, allowed) => {
  const batch = aBatch({ state: state as OperationState });
  expect(BATCH_ACTIONS.filter((action) => explainRefusal(action, batch) === null)).toEqual(allowed);
});

it.each(Object.entries(STATE_LOOKS))("%s is told in words", (state, { word }) => {
  render(<BatchStateBadge batch={aBatch({ state: state as OperationState, counts: { COMPLETED: 10 } })} />);
  expect(screen.getByText(word)).toBeVisible();
});

it.each([
  [{ COMPLETED: 9, FAILED: 1 }, "Done, in part"],
  [{ FAILED: 10 }, "Done, none completed"],
  [{ COMPLETED: 10 }, "Done"],
  [{ CANCELLED: 10 }, "Done, all cancelled"],
  [{ CANCELLED: 9, FAILED: 1 }, "Done, none completed"],
  [{ COMPLETED: 9, CANCELLED: 1 }, "Done, in part"],
])("a batch that ended with %j looks like it: %s", (counts, word) => {
  render(<BatchStateBadge batch={aBatch({ state: "DONE", counts })} />);
  expect(screen.getByText(word)).toBeVisible();
  const isGreen = screen.getByText(word).className.includes("text-completed");
  expect(isGreen).toBe(word === "Done");
});

it.each([
  ["cancel", "Cancelling 10 jobs", "Cancelled 9 of 10 jobs"],
  ["assign", "Assigning 10 jobs", "Assigned 9 of 10 jobs"],
  ["rejudge", "Judging again 10 jobs, as a shadow", "Judged again 9 of 10 jobs, as a shadow"],
  ["strange", "strange 10 jobs", "strange 9 of 10 jobs"],
])("%s is named by what it does, and then by what it did", (kind, doing, done) => {
  const operation = aBatch({ kind, shadow: kind === "rejudge", counts: { DONE: 9, REFUSED: 1 } });
  expect(describeOperation(operation)).toBe(doing);
  expect(describeOperation({ ...operation, state: "DONE" })).toBe(done);
});

it.each([
  ["what is under way", aBatch(), "cancel", "Cancel what is left"],
  ["what is paused", aBatch({ state: "PAUSED" }), "resume", "Resume"],
  ["what failed", aBatch({ state: "DONE" }), "retry", "Execute again what failed (1)"],
  ["a cancelled batch", aBatch({ state: "CANCELLED", counts: { CANCELLED: 1 } }), "again", "Execute this one again"],
  [
    "a cancellation",
    aBatch({ kind: "cancel", state: "DONE", counts: { DONE: 1_020, REFUSED: 1 } }),
    "again",
    "Execute these 1,020 again",
  ],
  ["what went well", aBatch({ state: "DONE", counts: { COMPLETED: 10 } }), null, ""],
  ["what is about to end", aBatch({ state: "CANCELLING" }), null, ""],
  ["an assignment", aBatch({ kind: "assign", state: "DONE", counts: { DONE: 10 } }), null, ""],
])("the likely step of %s is picked", (_, batch, step, words) => {
  expect(findStep(batch)).toBe(step);
  if (step) expect(nameAction(step as BatchAction, batch)).toBe(words);
});

it("more than can be named are not executed again at once, unless a filter chooses them", () => {
  const batch = aBatch({ state: "CANCELLED", counts: { CANCELLED: 10_001 } });
  expect(explainRefusal("again", batch)).toBe(
    "More than 10,000 jobs were cancelled: execute them from the list, in parts.",
  );
  expect(explainRefusal("again", { ...batch, kind: "cancel", counts: { DONE: 10_001 } })).toBeNull();
});

it("only what was executed is retried", () => {
  const cancellation = aBatch({ kind: "cancel", state: "DONE", counts: { DONE: 9, REFUSED: 1 } });
  expect(describeState(cancellation).word).toBe("Done, in part");
  expect(explainRefusal("retry", cancellation)).toBe("It executed nothing.");
});

it("has nothing to retry where nothing failed", () => {
  expect(explainRefusal("retry", aBatch({ state: "DONE", counts: { COMPLETED: 10 } }))).toBe(
    "None of its jobs failed.",
  );
});

it("says how far it is in words, whatever the bar looks like", () => {
  const batch = aBatch({ counts: { COMPLETED: 4, FAILED: 1, REFUSED: 1, WAITING: 3, STRANGE: 1 } });
  render(
    <>
      <BatchBar batch={batch} />
      <BatchLegend batch={batch} />
    </>,
  );
  const bar = screen.getByRole("progressbar", { name: "Progress" });
  expect(bar).toHaveAttribute("aria-valuenow", "6");
  expect(bar).toHaveAttribute("aria-valuetext", expect.stringContaining("6 of 10 jobs at rest: 4 completed"));
  expect(bar.children).toHaveLength(5);
  for (const text of ["completed", "failed", "refused", "not asked for yet", "strange"]) {
    expect(screen.getByText(text)).toBeVisible();
  }
});

it("never calls all but one of many all", () => {
  expect(share(aBatch({ total: 1_000, counts: { COMPLETED: 999, ASSIGNED: 1 } }))).toBe("99 %");
  expect(share(aBatch({ state: "DONE", total: 10, counts: { COMPLETED: 10 } }))).toBe("100 %");
});

it("tells the rate in the unit that says most", () => {
  expect([0, 12, 2.5, 0.5, 0.001].map(formatRate)).toEqual(["–", "12 jobs/s", "2.5 jobs/s", "30 jobs/min", "4 jobs/h"]);
});
