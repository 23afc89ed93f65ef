import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { DiffView } from "./DiffView";

it("a diff shows what differs, with a few lines around it, and all when asked", async () => {
  const lines = Array.from({ length: 40 }, (_, at) => `line ${at}\n`).join("");
  render(<DiffView before={`${lines}old`} after={`${lines}new`} beforeName="submission 1" afterName="This one" />);
  expect(await screen.findByText("1 line changed, 0 added, 0 removed since submission 1")).toBeVisible();
  const diff = screen.getByRole("region", { name: "This one compared with submission 1" });
  expect(diff).toHaveTextContent(/^⋯ 37 lines the sameline 37line 38line 39removed: −oldadded: \+new$/);
  await userEvent.click(screen.getByRole("button", { name: "Show all" }));
  expect(diff).toHaveTextContent("line 0");
});

it("in a line that was changed, the words that differ are marked, and nothing is cut", async () => {
  const long = "word ".repeat(100);
  const before = `${long}costs ten EUR`;
  render(<DiffView before={before} after={`${long}costs twelve EUR`} beforeName="submission 1" afterName="This one" />);
  expect((await screen.findByText("ten")).tagName).toBe("DEL");
  expect(screen.getByText("twelve").tagName).toBe("INS");
  expect(screen.getByText("twelve").closest("p")).toHaveClass("whitespace-pre-wrap");
});
