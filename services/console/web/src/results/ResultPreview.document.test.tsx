import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { Preview } from "@/testing/Preview";
import { FakeWorker } from "@/testing/worker";

const SOURCE = { jobId: "poem", version: 4 };

it("two results are compared line by line, and as a whole where they are too large", async () => {
  const { unmount } = render(
    <Preview value={"a\nb\n"} source={SOURCE} compared={{ name: "submission 1", value: "a\nc\n" }} />,
  );
  await userEvent.click(screen.getByRole("tab", { name: "Diff with submission 1" }));
  const lines = await screen.findByRole("region", { name: /^This one compared/ });
  expect(lines).toHaveTextContent(/− *c.*\+ *b/);
  unmount();
  vi.spyOn(FakeWorker.prototype, "postMessage").mockImplementation(async function (this: FakeWorker) {
    this.onmessage({ data: { problem: "they are too different" } });
  });
  render(<Preview value="a" source={SOURCE} compared={{ name: "submission 1", value: "b" }} />);
  await userEvent.click(screen.getByRole("tab", { name: "Diff with submission 1" }));
  expect(await screen.findByText(/too large or too different/)).toBeVisible();
});

it("two texts of Markdown are compared by their blocks, and JSON by its paths", async () => {
  const { unmount } = render(
    <Preview
      value={"# Trip\n\nWe go by **train**.\n\nBye."}
      source={SOURCE}
      compared={{ name: "submission 1", value: "# Trip\n\nWe go by **ship**.\n\nBye." }}
    />,
  );
  await userEvent.click(screen.getByRole("tab", { name: "Diff with submission 1" }));
  expect((await screen.findByText("train")).tagName).toBe("INS");
  expect(screen.getByText("ship").tagName).toBe("DEL");
  expect(screen.getByRole("heading", { name: "Trip" })).toBeVisible();
  expect(screen.getByText("1 block changed, 0 added, 0 removed since submission 1")).toBeVisible();
  unmount();
  render(
    <Preview
      value={{ a: { b: [1, 2, 9] }, id: 1 }}
      source={SOURCE}
      compared={{ name: "submission 1", value: { a: { b: [1, 3, 9] }, id: 1, c: "x" } }}
    />,
  );
  await userEvent.click(screen.getByRole("tab", { name: "Diff with submission 1" }));
  expect(await screen.findByText(/2 values? changed|1 value changed|removed since/)).toBeVisible();
  expect(screen.getByText("c")).toBeVisible();
});

it("a text that keeps the worker busy without end is shown as text", async () => {
  vi.spyOn(FakeWorker.prototype, "postMessage").mockImplementation(async function (this: FakeWorker) {
    this.onmessage({ data: { problem: "it takes too long" } });
  });
  render(<Preview value={`# x\n${"]".repeat(37_000)}`} source={SOURCE} />);
  expect(await screen.findByText(/shown as text: it cannot be drawn/)).toBeVisible();
  expect(screen.getByText(/shown 4,000 of/)).toBeVisible();
});

it("an object is a page of its fields: texts as they read, lists of objects as tables, the rest as a tree", async () => {
  const value = {
    title: "Prices",
    ok: true,
    summary: "# Summary\n\nAll is **well**.",
    code: "def f():\n    return 1",
    language: "python",
    rows: [
      { name: "pear", price: 10 },
      { name: "apple", price: 9 },
    ],
    chart: "data:image/png;base64,iVBORw0KGgo=",
    rest: { deep: { er: 1 } },
  };
  const { container } = render(<Preview value={value} source={SOURCE} />);
  expect(await screen.findByRole("heading", { name: "Summary" })).toBeVisible();
  expect(screen.getByText("title").closest("div")).toHaveTextContent("Prices");
  expect(screen.getByText("def")).toHaveClass("hljs-keyword");
  expect(screen.getByRole("img", { name: "chart" })).toHaveAttribute("src", value.chart);
  expect(screen.getByRole("button", { name: /deep/ })).toBeVisible();
  const names = () => [...container.querySelectorAll("tbody tr td:first-child")].map((cell) => cell.textContent);
  expect(names()).toEqual(["pear", "apple"]);
  await userEvent.click(screen.getByRole("button", { name: "price" }));
  expect(names()).toEqual(["apple", "pear"]);
  expect(screen.getByRole("columnheader", { name: "price" })).toHaveAttribute("aria-sort", "ascending");
});

it("a search finds what is not drawn yet, and an outline leads there", async () => {
  const text = Array.from({ length: 900 }, (_, at) => `## Part ${at}\n\nparagraph ${at}`).join("\n\n");
  const { container } = render(<Preview value={text} source={SOURCE} />);
  const search = await screen.findByRole("searchbox", { name: "Find in the result" });
  expect(container.querySelectorAll("*").length).toBeLessThan(3_000);
  await userEvent.type(search, "paragraph 77{Enter}");
  expect(screen.getByRole("status")).toHaveTextContent("place 2 of 11");
  expect(screen.getByRole("combobox", { name: "Outline" })).toHaveTextContent("Part 400");
});

it("a search opens what is folded of a tree", async () => {
  const value = { title: "Prices", rest: { a: { b: { c: { d: ["a needle in it", 4_711] } } } } };
  render(<Preview value={value} source={SOURCE} />);
  const search = await screen.findByRole("searchbox", { name: "Find in the result" });
  expect(screen.queryByText(/needle/)).not.toBeInTheDocument();
  await userEvent.type(search, "need");
  expect(await screen.findByText("need", { selector: "mark" })).toHaveAttribute("aria-current", "true");
  await userEvent.clear(search);
  await userEvent.type(search, "471");
  expect(await screen.findByText("4711")).toBeVisible();
});

it("how a long text begins is shown first, and another view of it does not parse it again", async () => {
  const text = `# Report\n\n${Array.from({ length: 2_000 }, (_, at) => `Paragraph ${at}, **sound**.`).join("\n\n")}`;
  const asked = vi.spyOn(FakeWorker.prototype, "postMessage");
  render(<Preview value={text} source={SOURCE} />);
  expect(await screen.findByRole("heading", { name: "Report" })).toBeVisible();
  const search = screen.getByRole("searchbox", { name: "Find in the result" });
  await userEvent.type(search, "Paragraph 1999");
  expect(await screen.findByText("place 1 of 1")).toBeVisible();
  await userEvent.click(screen.getByRole("tab", { name: "Text" }));
  await userEvent.click(screen.getByRole("tab", { name: "Markdown" }));
  expect(screen.getByRole("heading", { name: "Report" })).toBeVisible();
  expect(asked).toHaveBeenCalledTimes(1);
});
