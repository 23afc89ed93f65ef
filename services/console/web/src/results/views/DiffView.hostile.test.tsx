import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { parseJson } from "@/lib/exact-json";
import { Preview } from "@/testing/Preview";
import { DiffView } from "./DiffView";

const SOURCE = { jobId: "poem", version: 4 };
const BIDI = "\u202e\u2066 <script>1</script>";
const MARKS = (word: string) => `# ${word}${BIDI}

<img src=x onerror="alert(1)"> ${word} ![${word}](https://elsewhere.invalid/${word}) [${word}](javascript:alert(1))

${"> ".repeat(400)}deep ${word}

${"*a* ".repeat(1_000)}${word}
`;
const lines = (count: number, word: string) => Array.from({ length: count }, (_, at) => `${at} ${word}`).join("\n");
const keys = (by: number) => Object.fromEntries(Array.from({ length: 30_000 }, (_, at) => [`key ${at}`, at * by]));
const words = (by: number) => Array.from({ length: 3_000 }, (_, at) => (at % 2 ? "same" : at * by)).join(" ");

it.each([
  ["scripts, images and links in Markdown", MARKS("before"), MARKS("after"), /changed/],
  ["scripts and bidi in lines", `${BIDI} before`, `${BIDI} after`, /1 line changed/],
  [
    "keys of an object's own prototype",
    parseJson(`{"__proto__": "${BIDI}"}`),
    parseJson('{"__proto__": 2}'),
    /1 value ch/,
  ],
  ["30,000 keys", keys(2), keys(3), /29,999 values changed/],
  ["a line of 1 MB", "a b ".repeat(250_000), "b a ".repeat(250_000), /since submission 1|too large/],
  [
    "one long line that is the same but for its end",
    `${"a".repeat(1_000_000)}b`,
    `${"a".repeat(1_000_000)}c`,
    /1 line ch/,
  ],
  ["many lines, of which one differs", lines(200_000, "a"), `${lines(200_000, "a")}b`, /1 line changed/],
  ["texts that differ in everything", lines(60_000, "a"), lines(60_000, "b"), /too large or too different/],
  ["every second word", words(2), words(3), /lines? changed/],
] as const)("a diff of %s does nothing, and is drawn within bounds", async (_, before, after, said) => {
  const { container } = render(
    <Preview value={after} source={SOURCE} compared={{ name: "submission 1", value: before }} />,
  );
  await userEvent.click(screen.getByRole("tab", { name: "Diff with submission 1" }));
  await waitFor(() => expect(screen.getByText(said)).toBeVisible(), { timeout: 20_000 });
  expect(container.querySelectorAll("script, img, iframe, a[href^='javascript']")).toHaveLength(0);
  expect(container.querySelectorAll("*").length).toBeLessThan(3_000);
  expect(container.textContent?.length).toBeLessThan(300_000);
});

it("a diff of 20,000 levels is that of two texts", async () => {
  const nest = (inner: string) => "[".repeat(20_000) + inner + "]".repeat(20_000);
  render(<DiffView kind="json" before={nest("1")} after={nest("2")} beforeName="submission 1" afterName="This one" />);
  expect(await screen.findByText(/too large or too different/)).toBeVisible();
});
