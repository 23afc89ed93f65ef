import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { Quote } from "@/results/model/evidence";
import { TEXT_SHOWN_CHARS } from "@/results/model/limits";
import { Preview } from "@/testing/Preview";
import { renderPage } from "@/testing/render";
import { on, problem } from "@/testing/server";

const SOURCE = { jobId: "poem", version: 4 };

it("a long text is cut, and shown whole when asked", async () => {
  render(<Preview value={"x".repeat(TEXT_SHOWN_CHARS + 1)} source={SOURCE} />);
  expect(screen.getByText(/shown 4,000 of 4,001 characters/)).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Show all" }));
  expect(screen.queryByText(/shown/)).not.toBeInTheDocument();
});

it("a quote beyond the cut is shown all the same", () => {
  const text = `${"x ".repeat(TEXT_SHOWN_CHARS)}the end`;
  const { container } = render(
    <Preview value={text} source={SOURCE} quotes={[{ id: "c", text: "the end" }]} focus={{ id: "c", turn: 0 }} />,
  );
  expect(container.querySelector("mark[aria-current]")).toHaveTextContent("the end");
});

it("a quote is brought into sight place by place, also after another view was chosen", async () => {
  const quotes = [{ id: "c", text: "moon" }];
  const preview = (turn?: number) => (
    <Preview
      value={"# moon\n\nmoon"}
      source={SOURCE}
      quotes={quotes}
      focus={turn === undefined ? null : { id: "c", turn }}
    />
  );
  const { container, rerender } = render(preview());
  expect(await screen.findByRole("heading", { name: "moon" })).toBeVisible();
  await userEvent.click(screen.getByRole("tab", { name: "Text" }));
  expect(container.querySelector("mark")).toBeNull(); // no criterion is in hand
  rerender(preview(0));
  const current = () => [...container.querySelectorAll("mark")].map((mark) => mark.hasAttribute("aria-current"));
  expect(current()).toEqual([true, false]);
  await userEvent.click(screen.getByRole("tab", { name: "Markdown" }));
  rerender(preview(1));
  expect(screen.getByRole("tab", { name: "Markdown", selected: true })).toBeVisible();
  expect(await screen.findByText("place 2 of 2")).toBeVisible();
});

it("only the evidence of the criterion in hand is marked", () => {
  const quotes = [
    { id: "a 0", criterion: "a", text: "moon" },
    { id: "a 1", criterion: "a", text: "June" },
    { id: "b 0", criterion: "b", text: "sun" },
  ];
  const { container } = render(
    <Preview value="sun, moon, June" source={SOURCE} quotes={quotes} focus={{ id: "a 1", turn: 0 }} />,
  );
  expect([...container.querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["moon", "June"]);
});

it("HTML stays text, wherever it is shown", async () => {
  const { container } = render(
    <Preview value={'# Hi\n\n<img src="x" onerror="alert(1)"><script>1</script>'} source={SOURCE} />,
  );
  expect(await screen.findByRole("heading", { name: "Hi" })).toBeVisible();
  expect(container.querySelector("img, script")).toBeNull();
  await userEvent.click(screen.getByRole("tab", { name: "Text" }));
  expect(container.querySelector("pre")).toHaveTextContent("<script>");
});

it("a result that is an HTML document is its source first, then a frame without any rights", async () => {
  const { container } = render(<Preview value="<!doctype html><script>1</script>" source={SOURCE} />);
  expect(container.querySelector("pre")).toHaveTextContent("<script>");
  expect(container.querySelector("iframe")).toBeNull();
  await userEvent.click(screen.getByRole("tab", { name: "Rendered" }));
  const frame = screen.getByTitle("Result poem-4, rendered");
  expect(frame).toHaveAttribute("sandbox", "");
  expect(frame).toHaveAttribute("src", "/api/jobs/poem/logs/4/html");
});

it("a download is what is stored", () => {
  render(<Preview value={{ a: 1 }} source={{ jobId: "a/b", version: 7 }} />);
  const link = screen.getByRole("link", { name: "Download" });
  expect(link).toHaveAttribute("href", "/api/jobs/a%2Fb/logs/7/result?download=1");
});

it("a quote that stands only in what is stored is shown there", async () => {
  const stored = '{"lines":["the moon","and June"]}';
  on("get", "/api/jobs/poem/logs/4/result", () => new Response(stored));
  const quotes: Quote[] = [
    {
      id: "c",
      text: "moon and June",
      spans: [
        [15, 19],
        [22, 30],
      ],
    },
  ];
  const value = JSON.parse(stored);
  const { container } = await renderPage(
    <Preview value={value} source={SOURCE} quotes={quotes} focus={{ id: "c", turn: 0 }} />,
  );
  expect(await screen.findByText("moon")).toHaveAttribute("aria-current", "true");
  expect([...container.querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["moon", "and June"]);
  expect(screen.getByRole("tab", { name: "As stored", selected: true })).toBeVisible();
});

it("says so where what is stored cannot be had", async () => {
  on("get", "/api/jobs/poem/logs/4/result", () => problem(404, "no_result", "the entry holds no result"));
  const { user } = await renderPage(<Preview value={{ a: 1 }} source={SOURCE} />);
  await user.click(screen.getByRole("tab", { name: "As stored" }));
  expect(await screen.findByText("the entry holds no result")).toBeVisible();
});

it("a remote image of Markdown is left out, and said so", async () => {
  const { container } = render(
    <Preview value="# Hi ![a chart](https://evil.example/p.png?q=secret)" source={SOURCE} />,
  );
  await userEvent.click(screen.getByRole("tab", { name: "Markdown" }));
  expect(await screen.findByText("[image left out: a chart]")).toBeVisible();
  expect(container.querySelector("img")).toBeNull();
});

it("a list of objects is a table", () => {
  render(
    <Preview
      value={[
        { name: "moon", size: 1 },
        { name: "sun", size: 9 },
      ]}
      source={SOURCE}
    />,
  );
  expect(screen.getAllByRole("columnheader").map((each) => each.textContent)).toEqual(["name", "size"]);
  expect(screen.getByRole("cell", { name: "sun" })).toBeVisible();
});

it("a quote is shown in the tree and in the table where it stands, however deep or far down", async () => {
  const tree = { a: { b: { c: ["sun", `${"x ".repeat(400)}the moon`] } }, d: "the moon" };
  const quotes = [{ id: "c", text: "the moon" }];
  const view = (value: unknown, turn?: number) => (
    <Preview value={value} source={SOURCE} quotes={quotes} focus={turn === undefined ? null : { id: "c", turn }} />
  );
  const { container, rerender, unmount } = render(view(tree));
  await userEvent.click(screen.getByRole("tab", { name: "JSON" }));
  rerender(view(tree, 0));
  expect(screen.getByRole("tab", { name: "JSON", selected: true })).toBeVisible();
  expect(await screen.findByText("place 1 of 2")).toBeVisible();
  expect(container.querySelector("mark[aria-current]")?.closest("span.min-w-0")).toHaveTextContent(/^1: /);
  rerender(view(tree, 1));
  expect(container.querySelector("mark[aria-current]")?.closest("span.min-w-0")).toHaveTextContent(/^d: /);
  unmount();
  const rows = Array.from({ length: 150 }, (_, at) => ({ at, text: at === 140 ? "so the moon" : "" }));
  const table = render(view(rows, 0));
  expect(table.container.querySelector("mark[aria-current]")?.closest("tr")).toHaveTextContent("140so the moon");
});
