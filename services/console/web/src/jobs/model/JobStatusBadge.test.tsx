import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { JobLogStatus } from "@/api/types";
import { JobStatusBadge } from "./JobStatusBadge";
import { STATUS_LOOKS } from "./status";

const WORDS: Record<JobLogStatus, string> = {
  PENDING: "Pending",
  ASSIGNED: "Assigned",
  IN_PROGRESS: "In progress",
  COMPLETED: "Completed",
  FAILED: "Failed",
  REJECTED: "Rejected",
  RESUBMISSION_REQUIRED: "Resubmission required",
  CANCELLED: "Cancelled",
  MATCHING_FAILED: "No agent matches",
};

it.each(Object.entries(WORDS))("%s is an icon, the word %s and a colour", (status, word) => {
  const { container } = render(<JobStatusBadge status={status as JobLogStatus} />);
  expect(screen.getByText(word)).toHaveClass(STATUS_LOOKS[status as JobLogStatus].ink);
  expect(container.querySelector("svg")).toHaveAttribute("aria-hidden");
});

it("shows what was asked for before it is answered", () => {
  render(<JobStatusBadge status="ASSIGNED" pending="execute" />);
  expect(screen.getByText("In progress")).toHaveTextContent("execution requested");
});

it("keeps the status while a cancellation is asked for", () => {
  render(<JobStatusBadge status="IN_PROGRESS" pending="cancel" />);
  expect(screen.getByText("In progress")).toHaveTextContent("cancellation requested");
});

it("says that an assigned job waits for a worker", () => {
  render(<JobStatusBadge status="ASSIGNED" isLive />);
  expect(screen.getByText("Assigned")).toHaveTextContent("queued");
});

it("shows a status that the page does not know yet as the word that it is", () => {
  render(<JobStatusBadge status="SNOOZED" />);
  expect(screen.getByText("SNOOZED")).toBeVisible();
});
