import type { AlignType } from "mdast";

/** Part of a text inside a block. A link and an image carry the address that was written, which is not to be trusted. */
export type Inline =
  | { type: "text" | "inlineCode"; value: string }
  | { type: "break" }
  | { type: "strong" | "emphasis" | "delete"; children: Inline[] }
  | { type: "link"; url: string; children: Inline[] }
  | { type: "image"; url: string; alt: string };

/** Piece of code, and the class of its colour; none where it has the colour of the text. */
export type Token = [text: string, kind?: string];
export type Row = Inline[][];

/** Part of a document; `isContinued` where it goes on with the one before, which was too long to be drawn as one. */
export type Node = { isContinued?: boolean } & (
  | { type: "paragraph"; children: Inline[] }
  | { type: "heading"; depth: number; children: Inline[] }
  | { type: "plain"; value: string }
  | { type: "code"; tokens: Token[] }
  | { type: "quote"; children: Node[] }
  | { type: "list"; start: number | null; isLoose: boolean; items: Item[] }
  | { type: "table"; align: AlignType[]; head: Row; rows: Row[] }
  | { type: "note"; label: string; children: Node[] }
  | { type: "rule" }
);

export type Item = { isContinued?: boolean; isDone: boolean | null; children: Node[] };

/** Block of a document: so much as is drawn at once, and the text that is read in it. */
export type Block = { node: Node; text: string };

function readInlines(inlines: readonly Inline[]): string {
  return inlines.map(readInline).join("");
}

function readInline(inline: Inline): string {
  if ("children" in inline) return readInlines(inline.children);
  if ("value" in inline) return inline.value;
  return inline.type === "break" ? "\n" : "";
}

/** Read the text of a node as it is drawn, a line each of its blocks. */
export function readNode(node: Node): string {
  switch (node.type) {
    case "paragraph":
    case "heading":
      return readInlines(node.children);
    case "plain":
      return node.value;
    case "code":
      return node.tokens.map(([text]) => text).join("");
    case "quote":
    case "note":
      return readNodes(node.children);
    case "list":
      return node.items.map(({ children }) => readNodes(children)).join("\n");
    case "table":
      return [node.head, ...node.rows].map((row) => row.map(readInlines).join("\n")).join("\n");
    case "rule":
      return "";
  }
}

const readNodes = (nodes: readonly Node[]) => nodes.map(readNode).join("\n");
