import { render, screen, within } from "@testing-library/react";
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
  expect(screen.getByRole("heading", { name: "Unproven: 1 of 2 criteria not proven" })).toBeVisible();
  expect(screen.queryByRole("link")).toBeNull();
  const failed = aVerdict({ criteria: [open, { ...short, required: true }] });
  rerender(<VerdictPanel {...PANEL} verdict={failed} />);
  expect(screen.getByRole("heading", { name: "Not accepted: 2 of 2 criteria not met" })).toBeVisible();
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

it("what is not met comes first, and what is met is folded until its evidence is asked for", () => {
  const criteria = [
    { text: "It rhymes", outcome: "pass" as const, evidence: ["moon, June"] },
    { text: "it is bold", outcome: "fail" as const, required: false },
    { text: "it is short", outcome: "fail" as const },
  ];
  const verdict = aVerdict({ criteria });
  const { rerender } = render(<VerdictPanel {...PANEL} verdict={verdict} />);
  expect(screen.getByRole("heading", { name: "Not accepted: 2 of 3 criteria not met" })).toBeVisible();
  const rows = within(screen.getByRole("table", { name: "What is not met" })).getAllByRole("row");
  expect(rows.slice(1).map((each) => each.textContent)).toEqual(["Not metit is short ", "Not metit is bold optional"]);
  const fold = screen.getByText("1 met").closest("details");
  expect(fold).not.toHaveAttribute("open");
  rerender(<VerdictPanel {...PANEL} verdict={verdict} focused="It rhymes 0" />);
  expect(fold).toHaveAttribute("open");
});

it("where all is met, a few criteria are shown, and many are folded", () => {
  const met = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ text: `It has part ${at}`, outcome: "pass" as const }));
  const verdictOf = (count: number) => aVerdict({ is_valid: true, criteria: met(count) });
  const { unmount } = render(<VerdictPanel {...PANEL} verdict={verdictOf(5)} />);
  expect(screen.getByRole("heading", { name: "Accepted: 5 of 5 criteria met" })).toBeVisible();
  expect(screen.getByText("5 met").closest("details")).toHaveAttribute("open");
  unmount();
  render(<VerdictPanel {...PANEL} verdict={verdictOf(6)} />);
  expect(screen.getByText("6 met").closest("details")).not.toHaveAttribute("open");
});
