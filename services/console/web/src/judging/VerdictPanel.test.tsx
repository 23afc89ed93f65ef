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
