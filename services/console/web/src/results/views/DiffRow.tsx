import { Fragment, type ReactNode } from "react";
import { cn } from "@/lib/cn";
import type { Node } from "@/results/worker/blocks";
import type { BlockChange, Words } from "@/results/worker/compare-blocks";
import type { JsonChange } from "@/results/worker/compare-json";
import { DrawnNode } from "./DrawnNode";

export type Row = BlockChange | JsonChange;

/** What a row was and is: one below the other, and beside it where the window is wide. */
export function DiffRow({ row }: { row: Row }) {
  if (row.kind === "same") return <DrawnNode node={row.block.node} />;
  const [before, after] = toSides(row);
  return (
    <div>
      {"path" in row && (
        <p className="font-mono text-xs wrap-anywhere">
          <bdi>{row.path || "the whole"}</bdi>
        </p>
      )}
      <div className="grid gap-x-3 xl:grid-cols-2">
        {before === undefined ? <div className="max-xl:hidden" /> : <Side kind="removed">{before}</Side>}
        {after !== undefined && <Side kind="added">{after}</Side>}
      </div>
    </div>
  );
}

function toSides(row: Exclude<Row, { kind: "same" }>): [before?: ReactNode, after?: ReactNode] {
  if ("path" in row) return [row.before && <Json text={row.before} />, row.after && <Json text={row.after} />];
  if (row.kind === "added") return [undefined, <DrawnNode key="after" node={row.block.node} />];
  if (row.kind === "removed") return [<DrawnNode key="before" node={row.block.node} />];
  if (row.kind !== "changed") return [];
  const { before, after, words } = row;
  return words
    ? [
        <DrawnWords key="before" node={before.node} words={words.before} tag="del" />,
        <DrawnWords key="after" node={after.node} words={words.after} tag="ins" />,
      ]
    : [<DrawnNode key="before" node={before.node} />, <DrawnNode key="after" node={after.node} />];
}

const LOOKS = {
  added: { sign: "+", tint: "bg-completed-tint" },
  removed: { sign: "−", tint: "bg-failed-tint" },
};

function Side({ kind, children }: { kind: keyof typeof LOOKS; children: ReactNode }) {
  const { sign, tint } = LOOKS[kind];
  return (
    <div className={cn("flex min-w-0 gap-2 px-1", tint)}>
      <span className="sr-only">{kind}: </span>
      <span aria-hidden className="shrink-0 select-none">
        {sign}
      </span>
      <div className="min-h-5 min-w-0 grow">{children}</div>
    </div>
  );
}

const Json = ({ text }: { text: string }) => (
  <p dir="auto" className="font-mono text-xs whitespace-pre-wrap">
    {text}
  </p>
);

const CHANGED = { ins: "bg-completed/30", del: "bg-failed/30" };

/** Text of a block; the words that differ are marked. */
function DrawnWords({ node, words, tag: Tag }: { node: Node; words: Words; tag: "ins" | "del" }) {
  return (
    <p
      dir="auto"
      className={cn(
        "whitespace-pre-wrap",
        node.type === "heading" && "font-semibold",
        node.type === "code" && "font-mono text-xs",
      )}
    >
      {words.map(({ text, isChanged }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no other name, and never move
        <Fragment key={at}>
          {isChanged ? <Tag className={cn("rounded-sm no-underline", CHANGED[Tag])}>{text}</Tag> : text}
        </Fragment>
      ))}
    </p>
  );
}
