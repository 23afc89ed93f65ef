import { createElement, Fragment, type ReactNode } from "react";
import { cn } from "@/lib/cn";
import type { Inline, Item, Node, Token } from "@/results/worker/blocks";
import { keepSafeAddress } from "./markdown-links";

/** Draw all in a row; they have no names, and none ever moves. */
const drawAll = <T,>(all: readonly T[], draw: (each: T, at: number) => ReactNode): ReactNode =>
  createElement(Fragment, null, ...all.map(draw));

type DrawnNodeProps = {
  node: Node;
  /** Whether it stands in a list without space between the items. */
  isTight?: boolean;
};

/** Node of a document: elements of our own around others' text, which fetch nothing and run nothing. */
export function DrawnNode({ node, isTight = false }: DrawnNodeProps): ReactNode {
  switch (node.type) {
    case "paragraph":
      return isTight ? drawInlines(node.children) : <p dir="auto">{drawInlines(node.children)}</p>;
    case "heading":
      return createElement(`h${node.depth}`, { dir: "auto" }, drawInlines(node.children));
    case "plain":
      return (
        <p dir="auto" className="whitespace-pre-wrap">
          {node.value}
        </p>
      );
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{drawAll(node.tokens, drawToken)}</code>
        </pre>
      );
    case "quote":
      return <blockquote>{drawNodes(node.children)}</blockquote>;
    case "list":
      return <List node={node} />;
    case "table":
      return <Table node={node} />;
    case "note":
      return (
        <div className="flex gap-2 text-muted">
          {!node.isContinued && <span>[{node.label}]</span>}
          <div className="min-w-0">{drawNodes(node.children)}</div>
        </div>
      );
    case "rule":
      return <hr />;
  }
}

const drawNodes = (nodes: readonly Node[], isTight = false) =>
  drawAll(nodes, (node) => <DrawnNode node={node} isTight={isTight} />);

const drawInlines = (inlines: readonly Inline[]) => drawAll(inlines, drawInline);

const drawToken = ([text, kind]: Token) => (kind ? <span className={kind}>{text}</span> : text);

function drawInline(inline: Inline): ReactNode {
  switch (inline.type) {
    case "text":
      return inline.value;
    case "inlineCode":
      return <code>{inline.value}</code>;
    case "break":
      return <br />;
    case "strong":
      return <strong>{drawInlines(inline.children)}</strong>;
    case "emphasis":
      return <em>{drawInlines(inline.children)}</em>;
    case "delete":
      return <del>{drawInlines(inline.children)}</del>;
    case "link":
      return <SafeLink url={inline.url}>{drawInlines(inline.children)}</SafeLink>;
    case "image": {
      const src = keepSafeAddress(inline.url, "src");
      return src ? <img src={src} alt={inline.alt} /> : <em>[image left out{inline.alt ? `: ${inline.alt}` : ""}]</em>;
    }
  }
}

function SafeLink({ url, children }: { url: string; children: ReactNode }) {
  const href = keepSafeAddress(url, "href");
  if (!href) return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function List({ node }: { node: Node & { type: "list" } }) {
  const Tag = node.start === null ? "ul" : "ol";
  return (
    <Tag start={node.start ?? undefined}>
      {drawAll(node.items, (item) => (
        <ListItem item={item} isTight={!node.isLoose} />
      ))}
    </Tag>
  );
}

function ListItem({ item: { isDone, isContinued, children }, isTight }: { item: Item; isTight: boolean }) {
  return (
    <li dir="auto" className={cn((isContinued || isDone !== null) && "list-none")}>
      {isDone !== null && !isContinued && (
        <input type="checkbox" checked={isDone} disabled aria-label={isDone ? "Done" : "To do"} className="mr-1.5" />
      )}
      {drawNodes(children, isTight)}
    </li>
  );
}

function Table({ node: { head, rows, align, isContinued } }: { node: Node & { type: "table" } }) {
  const toStyle = (at: number) => ({ textAlign: align[at] ?? undefined });
  return (
    // A result may have many: a group may have the name of another, and a landmark may not.
    <div role="group" tabIndex={0} aria-label="Table" className="overflow-x-auto">
      <table>
        <thead className={cn(isContinued && "sr-only")}>
          <tr>
            {drawAll(head, (cell, at) =>
              cell.length > 0 ? (
                <th scope="col" style={toStyle(at)}>
                  {drawInlines(cell)}
                </th>
              ) : (
                <td />
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {drawAll(rows, (row) => (
            <tr>
              {drawAll(row, (cell, at) => (
                <td dir="auto" style={toStyle(at)}>
                  {drawInlines(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
