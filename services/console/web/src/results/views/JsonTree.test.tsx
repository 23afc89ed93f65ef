import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { JsonTree } from "./JsonTree";

it("a tree opens what is asked for, a hundred children at a time", async () => {
  render(<JsonTree value={{ deep: { deeper: { deepest: 1 } }, many: Array.from({ length: 150 }, (_, i) => i) }} />);
  const deeper = await screen.findByRole("button", { name: /deeper/ });
  expect(screen.queryByText(/deepest/)).not.toBeInTheDocument();
  await userEvent.click(deeper);
  expect(await screen.findByText(/deepest/)).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: /deep:/ }));
  expect(screen.queryByText(/deepest/)).not.toBeInTheDocument();
});

it("a string reads as it is written: its line breaks are line breaks, and nothing is cut at the edge", async () => {
  const { container } = render(<JsonTree value={{ poem: "moon\nand June" }} />);
  const line = (await screen.findByText(/moon/)).closest(".whitespace-pre-wrap");
  expect(line).toHaveClass("wrap-anywhere");
  expect(container.textContent).toContain("moon\nand June");
  expect(container.textContent).not.toContain("\\n");
});
