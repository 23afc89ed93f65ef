import { BLOCK_WEIGHT_MAX, CHARS_PER_WEIGHT } from "@/results/model/limits";
import { type Block, type Inline, type Item, type Node, type Row, readNode, type Token } from "./blocks";

/** Make blocks of nodes; what is too large to be drawn at once becomes several. */
export function toBlocks(nodes: readonly Node[]): Block[] {
  return nodes.flatMap(splitNode).map((node) => ({ node, text: readNode(node) }));
}

const weighText = (text: string) => text.length / CHARS_PER_WEIGHT;
const sum = <T>(all: readonly T[], weigh: (each: T) => number): number =>
  all.reduce((total, each) => total + weigh(each), 1);

function weighInline(inline: Inline): number {
  if ("children" in inline) return sum(inline.children, weighInline);
  return inline.type === "text" ? weighText(inline.value) : 1 + weighText("value" in inline ? inline.value : "");
}

const weighRow = (row: Row) => sum(row, (cell) => sum(cell, weighInline));
const weighToken = ([text, kind]: Token) => weighText(text) + (kind ? 1 : 0);
const weighItem = ({ children }: Item) => sum(children, weighNode);

/** Weigh what a node costs to be drawn: its elements, and its characters. */
export function weighNode(node: Node): number {
  switch (node.type) {
    case "paragraph":
    case "heading":
      return sum(node.children, weighInline);
    case "quote":
    case "note":
      return sum(node.children, weighNode);
    case "list":
      return sum(node.items, weighItem);
    case "table":
      return sum(node.rows, weighRow) + weighRow(node.head);
    case "code":
      return sum(node.tokens, weighToken);
    case "plain":
      return weighText(node.value);
    case "rule":
      return 1;
  }
}

/** Pack what stands in a row into groups, none of which is too large unless it holds but one. */
function pack<T>(all: readonly T[], weigh: (each: T) => number): T[][] {
  const groups: T[][] = [];
  let weight = Number.POSITIVE_INFINITY;
  for (const each of all) {
    const own = weigh(each);
    weight += own;
    if (weight > BLOCK_WEIGHT_MAX) {
      groups.push([]);
      weight = own;
    }
    groups.at(-1)?.push(each);
  }
  return groups;
}

function splitNode(node: Node): Node[] {
  if (weighNode(node) <= BLOCK_WEIGHT_MAX) return [node];
  const parts = splitLarge(node);
  return parts.map((part, at) => (at > 0 ? { ...part, isContinued: true } : part));
}

function splitLarge(node: Node): Node[] {
  switch (node.type) {
    case "paragraph":
    case "heading":
      return pack(node.children.flatMap(splitInline), weighInline).map((children) => ({ ...node, children }));
    case "quote":
    case "note":
      return pack(node.children.flatMap(splitNode), weighNode).map((children) => ({ ...node, children }));
    case "list":
      return splitList(node);
    case "table":
      return pack(node.rows, weighRow).map((rows) => ({ ...node, rows }));
    case "code":
      return pack(node.tokens.flatMap(splitToken), weighToken).map((tokens) => ({ ...node, tokens }));
    case "plain":
      return splitText(node.value).map((value) => ({ ...node, value }));
    case "rule":
      return [node];
  }
}

function splitList(node: Node & { type: "list" }): Node[] {
  let number = node.start;
  const items = node.items.flatMap((item) =>
    pack(item.children.flatMap(splitNode), weighNode).map((children, at) => ({
      ...item,
      children,
      isContinued: at > 0,
    })),
  );
  return pack(items, weighItem).map((items) => {
    const start = number;
    if (number !== null) number += items.filter(({ isContinued }) => !isContinued).length;
    return { ...node, start, items };
  });
}

function splitInline(inline: Inline): Inline[] {
  if (weighInline(inline) <= BLOCK_WEIGHT_MAX) return [inline];
  if ("children" in inline)
    return pack(inline.children.flatMap(splitInline), weighInline).map((children) => ({ ...inline, children }));
  return "value" in inline ? splitText(inline.value).map((value) => ({ ...inline, value })) : [inline];
}

const splitToken = ([text, kind]: Token): Token[] =>
  weighText(text) <= BLOCK_WEIGHT_MAX / 4 ? [[text, kind]] : splitText(text).map((piece) => [piece, kind]);

const PIECE_CHARS = (BLOCK_WEIGHT_MAX / 4) * CHARS_PER_WEIGHT;
const PIECE = new RegExp(
  String.raw`[\s\S]{1,${PIECE_CHARS}}(?:\n|$)|[\s\S]{1,${PIECE_CHARS}}(?:\s|$)|[\s\S]{1,${PIECE_CHARS}}`,
  "g",
);

/** Split a text where a line ends, else between words. */
const splitText = (text: string): string[] => text.match(PIECE) ?? [text];
