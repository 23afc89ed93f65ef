import { expect, it } from "vitest";
import { BLOCK_WEIGHT_MAX, BLOCKS_HANDED, CHARS_PER_WEIGHT } from "@/results/model/limits";
import type { DocumentText } from "@/results/model/list-parts";
import { answer, type Told, tell } from "./answer";
import type { Block } from "./blocks";
import { compareJson } from "./compare-json";

const blocksOf = async (text: string, kind: DocumentText["kind"] = "markdown") =>
  ((await answer({ kind: "document", texts: [{ kind, text }] })) as Block[][])[0] ?? [];

it.each([
  ["a list", Array.from({ length: 5_000 }, (_, at) => `- item ${at}`).join("\n"), "markdown"],
  ["a table", `|a|b|\n|-|-|\n${"|x|y|\n".repeat(5_000)}`, "markdown"],
  ["a paragraph", "word ".repeat(60_000), "markdown"],
  ["emphasis", "*a* ".repeat(5_000), "markdown"],
  ["a quote", "> p\n>\n".repeat(5_000), "markdown"],
  ["code", "```\nline\n```\n".replace("line\n", "line of code\n".repeat(5_000)), "markdown"],
  ["plain text", "line\n".repeat(50_000), "text"],
] as const)(
  "%s that is too large to be drawn at once becomes many blocks, and loses nothing",
  async (_, text, kind) => {
    const blocks = await blocksOf(text, kind);
    expect(blocks.length).toBeGreaterThan(5);
    const words = (of: string) => of.match(/[a-z0-9]+/g)?.length ?? 0;
    const read = blocks.map((each) => each.text).join("\n");
    const repeated = text.startsWith("|") ? 2 * (blocks.length - 1) : 0; // the head of a table stands over each part
    expect(words(read)).toBe(words(text.replaceAll("```", "")) + repeated);
    for (const { text: own } of blocks) expect(own.length).toBeLessThan(2 * BLOCK_WEIGHT_MAX * CHARS_PER_WEIGHT);
    expect(blocks.slice(1).every(({ node }) => node.isContinued)).toBe(true);
  },
);

it("an ordered list that became several blocks counts on", async () => {
  const blocks = await blocksOf(Array.from({ length: 300 }, (_, at) => `${at + 7}. item`).join("\n"));
  const lists = blocks.flatMap(({ node }) => (node.type === "list" ? [node] : []));
  expect(lists[0]?.start).toBe(7);
  expect(lists[1]?.start).toBe(7 + (lists[0]?.items.length ?? 0));
});

it("what is nested without end is drawn as text", async () => {
  const [block] = await blocksOf(`${"> ".repeat(60)}deep`);
  expect(block?.text).toBe("deep");
  expect(JSON.stringify(block).split('"quote"').length).toBeLessThan(25);
});

it("a link and an image by reference have their addresses, and HTML is text", async () => {
  const [paragraph, html] = await blocksOf("[a][x] ![b][x] &eacute;\n\n<script>1</script>\n\n[x]: https://x.example/");
  expect(paragraph?.node).toMatchObject({
    children: [{ type: "link", url: "https://x.example/" }, {}, { type: "image", alt: "b" }, { value: " é" }],
  });
  expect(html?.node).toEqual({ type: "plain", value: "<script>1</script>" });
});

it("JSON is compared by path; objects of a list are found again by their names, and numbers keep their digits", () => {
  const before = '{"a":{"b":1},"list":[{"id":1,"x":1},{"id":2,"x":1}],"big":9007199254740993,"_t":"b"}';
  const after = '{"a":{"b":2},"list":[{"id":2,"x":5}],"big":9007199254740992,"_t":"a","new":[1]}';
  expect(compareJson(before, after)).toEqual([
    { kind: "changed", path: "a.b", before: "1", after: "2" },
    { kind: "removed", path: "list[0]", before: '{\n  "id": 1,\n  "x": 1\n}' },
    { kind: "changed", path: "list[0].x", before: "1", after: "5" },
    { kind: "changed", path: "big", before: "9007199254740993", after: "9007199254740992" },
    { kind: "changed", path: "_t", before: '"b"', after: '"a"' },
    { kind: "added", path: "new", after: "[\n  1\n]" },
  ]);
  expect(compareJson(before, before)).toEqual([]);
});

it("keys and items that others name as they like are compared as any", () => {
  const before = '{"__proto__":{"a":1},"toString":1,"list":[null,{"id":{"toString":1}}]}';
  const after = '{"__proto__":{"a":2},"constructor":1,"list":[{"id":[]},null]}';
  expect(compareJson(before, after)).toMatchObject([
    { kind: "changed", path: "__proto__.a", before: "1", after: "2" },
    { kind: "removed", path: "toString", before: "1" },
    { kind: "added", path: "list[0]", after: '{\n  "id": []\n}' },
    { kind: "removed", path: "list[1]" },
    { kind: "added", path: "constructor", after: "1" },
  ]);
});

it("of lists too long to be compared item by item, the whole differs, and long values and paths are cut", () => {
  const write = (by: number) => JSON.stringify({ list: Array.from({ length: 20_000 }, (_, at) => at * by) });
  const [change, ...others] = compareJson(write(2), write(-3));
  expect(others).toEqual([]);
  expect(change).toMatchObject({ kind: "changed", path: "list" });
  expect(change?.after).toMatch(/… [0-9]+ more characters$/);
  const long = (by: number) =>
    JSON.stringify({ ["k".repeat(500_000)]: Array.from({ length: 900 }, (_, at) => [at * by]) });
  for (const { path } of compareJson(long(2), long(-3))) expect(path.length).toBeLessThan(600);
});

it("a long document begins before it is whole, between blocks, and comes in messages none of which is large", async () => {
  const text = `${"```\ncode\n\n".padEnd(20_000, "line\n\n")}\n\`\`\`\n\n${"a paragraph\n\n".repeat(5_000)}`;
  const told: Told[] = [];
  const texts = [{ kind: "markdown" as const, text: `# Head\n\n${text}` }];
  for await (const each of tell({ kind: "document", texts })) told.push(each);
  const [first, ...others] = told as [{ beginning: Block[][] }, ...Told[]];
  expect(first.beginning[0]?.map(({ text: own }) => own)).toEqual(["Head"]);
  expect(others.pop()).toEqual({ lists: 1 });
  const blocks = others.map((each) => ("part" in each ? each.part : []));
  expect(Math.max(...blocks.map(({ length }) => length))).toBeLessThanOrEqual(BLOCKS_HANDED);
  expect(blocks.flat()).toEqual(((await answer({ kind: "document", texts })) as Block[][])[0]);
});
