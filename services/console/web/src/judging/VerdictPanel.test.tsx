import { render, screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { aVerdict } from "@/testing/factories";
import { VerdictPanel } from "./VerdictPanel";

const PANEL = { source: { jobId: "a/b", version: 4 }, focused: null, onQuote: vi.fn() };

it("a verdict has a receipt to download", () => {
  render(<VerdictPanel {...PANEL} verdict={aVerdict()} />);
  const link = screen.getByRole("link", { name: "Receipt" });
  expect(link).toHaveAttribute("href", "/api/jobs/a%2Fb/receipt?version=4");
  expect(link).toHaveAttribute("download");
});

it("what the judge did not judge has none", () => {
  render(<VerdictPanel {...PANEL} verdict={aVerdict({ judge_error: "judge_refused" })} />);
  expect(screen.queryByRole("link")).toBeNull();
});

it("says that a judge proved nothing, and offers no receipt of that", () => {
  const open = { text: "It rhymes", outcome: "cannot_assess", unproven: true } as const;
  const short = { text: "it is short", outcome: "fail", required: false } as const;
  const { rerender } = render(<VerdictPanel {...PANEL} verdict={aVerdict({ criteria: [open, short] })} />);
  expect(screen.getByRole("cell", { name: "Unproven" })).toBeVisible();
  expect(screen.getAllByText("Unproven")).toHaveLength(2);
  expect(screen.queryByRole("link")).toBeNull();
  const failed = aVerdict({ criteria: [open, { ...short, required: true }] });
  rerender(<VerdictPanel {...PANEL} verdict={failed} />);
  expect(screen.getByText("Not accepted")).toBeVisible();
  expect(screen.getByRole("link", { name: "Receipt" })).toBeVisible();
});

it("says of what must never be there whether it is, and not that it is met", () => {
  const criterion = {
    text: "Mentions 'password'",
    kind: "never",
    outcome: "pass",
    required: true,
    comment: "",
  } as const;
  const before = aVerdict({ criteria: [{ ...criterion, outcome: "fail" }] });
  const compared = { name: "Submission 1", verdict: before };
  render(<VerdictPanel {...PANEL} compared={compared} verdict={aVerdict({ criteria: [criterion] })} />);
  expect(screen.getByRole("cell", { name: "Absent" })).toBeVisible();
  expect(screen.getByText("Submission 1: found")).toBeVisible();
});

it("does not say that nobody judged it", () => {
  render(<VerdictPanel {...PANEL} verdict={aVerdict({ model: undefined })} />);
  expect(screen.queryByText(/judged by/)).not.toBeInTheDocument();
});

it.each([
  ["## It is **signed by** [both](https://x.example)", "It is signed by both"],
  ["`a * b` and *so* on", "a * b and so on"],
  ["2 * 3 * 4, snake_case_name", "2 * 3 * 4, snake_case_name"],
])("a quotation of Markdown, %s, is shown as it is read", (quote, read) => {
  const criteria = [{ text: "It is", outcome: "pass" as const, evidence: [quote] }];
  render(<VerdictPanel {...PANEL} verdict={aVerdict({ criteria })} />);
  expect(screen.getByRole("button")).toHaveTextContent(`“${read}”`);
});
