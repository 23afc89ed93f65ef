import type * as Md from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";
import { NESTED_MAX, TABLE_COLUMNS_MAX } from "@/results/model/limits";
import type { Inline, Item, Node } from "./blocks";
import { colourCode } from "./colour-code";

type Parsed = Md.RootContent | Md.Root;
/** Addresses of a document that are named apart from their links. */
type Addresses = ReadonlyMap<string, string>;

/** Parse Markdown; HTML in it stays text. */
export async function parseMarkdown(text: string): Promise<Node[]> {
  const root = fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
  const addresses = new Map(
    root.children.flatMap((node) => (node.type === "definition" ? [[node.identifier, node.url] as const] : [])),
  );
  return (await Promise.all(root.children.map((node) => toNodes(node, addresses, 0)))).flat();
}

async function toNodes(node: Parsed, addresses: Addresses, depth: number): Promise<Node[]> {
  const inlines = (children: Md.PhrasingContent[]) => toInlines(children, addresses, depth + 1);
  const inner = async (children: Parsed[]) =>
    (await Promise.all(children.map((each) => toNodes(each, addresses, depth + 1)))).flat();
  if (depth > NESTED_MAX) return [{ type: "plain", value: readParsed(node) }];
  switch (node.type) {
    case "paragraph":
      return [{ type: "paragraph", children: inlines(node.children) }];
    case "heading":
      return [{ type: "heading", depth: node.depth, children: inlines(node.children) }];
    case "blockquote":
      return [{ type: "quote", children: await inner(node.children) }];
    case "footnoteDefinition":
      return [{ type: "note", label: node.label ?? node.identifier, children: await inner(node.children) }];
    case "list":
      return [
        {
          type: "list",
          start: node.ordered ? (node.start ?? 1) : null,
          isLoose: node.spread === true || node.children.some(({ spread }) => spread),
          items: await Promise.all(
            node.children.map(
              async ({ checked, children }): Promise<Item> => ({
                isDone: checked ?? null,
                children: await inner(children),
              }),
            ),
          ),
        },
      ];
    case "table": {
      const rows = node.children.map(({ children }) =>
        children.slice(0, TABLE_COLUMNS_MAX).map((cell) => inlines(cell.children)),
      );
      const left = (node.children[0]?.children.length ?? 0) - TABLE_COLUMNS_MAX;
      const [head = [], ...others] = rows;
      if (left > 0) head.push([{ type: "text", value: `… ${left} more, in the text` }]);
      return [{ type: "table", align: node.align ?? [], head, rows: others }];
    }
    case "code":
      return [{ type: "code", tokens: await colourCode(node.value, node.lang ?? undefined) }];
    case "html":
      return [{ type: "plain", value: node.value }];
    case "thematicBreak":
      return [{ type: "rule" }];
    default:
      return [];
  }
}

function toInlines(nodes: readonly Md.PhrasingContent[], addresses: Addresses, depth: number): Inline[] {
  return nodes.flatMap((node): Inline[] => {
    const inner = (children: readonly Md.PhrasingContent[]) => toInlines(children, addresses, depth + 1);
    if (depth > NESTED_MAX) return [{ type: "text", value: readParsed(node) }];
    switch (node.type) {
      case "text":
      case "inlineCode":
        return [{ type: node.type, value: node.value }];
      case "html":
        return [{ type: "text", value: node.value }];
      case "strong":
      case "emphasis":
      case "delete":
        return [{ type: node.type, children: inner(node.children) }];
      case "link":
        return [{ type: "link", url: node.url, children: inner(node.children) }];
      case "linkReference":
        return [{ type: "link", url: addresses.get(node.identifier) ?? "", children: inner(node.children) }];
      case "image":
        return [{ type: "image", url: node.url, alt: node.alt ?? "" }];
      case "imageReference":
        return [{ type: "image", url: addresses.get(node.identifier) ?? "", alt: node.alt ?? "" }];
      case "break":
        return [{ type: "break" }];
      case "footnoteReference":
        return [{ type: "text", value: `[${node.label ?? node.identifier}]` }];
      default:
        return [];
    }
  });
}

/** Read all text of what is nested too deep to be drawn as what it is. */
function readParsed(node: Parsed | Md.PhrasingContent): string {
  const texts: string[] = [];
  const waiting: (Parsed | Md.PhrasingContent)[] = [node];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if ("value" in next) texts.push(next.value);
    if ("children" in next) waiting.push(...next.children.toReversed());
  }
  return texts.join(" ");
}
