import { Fragment, type ReactNode, useMemo, useState } from "react";
import { cn } from "@/lib/cn";
import { pluralize } from "@/lib/format";
import { DIFF_AROUND_BLOCKS, DIFF_BLOCKS_SHOWN } from "@/results/model/limits";
import type { Node } from "@/results/worker/blocks";
import type { BlockChange, Words } from "@/results/worker/compare-blocks";
import { useWorker } from "@/results/worker/use-worker";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { DrawnNode } from "./DrawnNode";

type DiffViewProps = {
  before: string;
  after: string;
  /** How both are read: Markdown by its blocks, JSON by its paths, other text by its lines. */
  kind?: "markdown" | "json" | "text";
  beforeName: string;
  afterName: string;
};

/** Difference of two texts as they are read; both side by side where they have too little in common. */
export function DiffView({ before, after, kind = "text", beforeName, afterName }: DiffViewProps) {
  const asked = useMemo(
    () =>
      kind === "json"
        ? ({ kind: "json", before, after } as const)
        : ({ kind: "blocks", before: { kind, text: before }, after: { kind, text: after } } as const),
    [kind, before, after],
  );
  const { value: changes, problem } = useWorker<"json" | "blocks">(asked);
  const names = { beforeName, afterName };
  if (before === after) return <p className="text-muted">Both are the same.</p>;
  if (problem) {
    return (
      <div>
        <p className="mb-2 text-muted">They are too large or too different to compare.</p>
        <div className="grid gap-3 md:grid-cols-2">
          <TextColumn name={beforeName} text={before} />
          <TextColumn name={afterName} text={after} />
        </div>
      </div>
    );
  }
  if (!changes) {
    return (
      <Loading what="the difference">
        <Skeleton className="h-40" />
      </Loading>
    );
  }
  const rows = changes.map((change) => ("path" in change ? toRow(change) : change));
  return <Changes rows={rows} unit={UNITS[kind]} {...names} />;
}

const UNITS = { markdown: "block", json: "value", text: "line" };

type JsonRow = { kind: "added" | "removed" | "changed"; path: string; before?: string; after?: string };
type Row = BlockChange | JsonRow;

const toRow = (change: { path: string; before?: string; after?: string }): JsonRow => ({
  ...change,
  kind: change.before === undefined ? "added" : change.after === undefined ? "removed" : "changed",
});

type ChangesProps = { rows: readonly Row[]; unit: string; beforeName: string; afterName: string };

function Changes({ rows, unit, beforeName, afterName }: ChangesProps) {
  const [isWhole, setWhole] = useState(false);
  const [limit, setLimit] = useState(DIFF_BLOCKS_SHOWN);
  const near = useMemo(() => foldUnchanged(rows), [rows]);
  const all: (Row | number)[] = isWhole ? [...rows] : near;
  const isCut = near.length < rows.length;
  const count = (...kinds: Row["kind"][]) => rows.filter((row) => kinds.includes(row.kind)).length;
  return (
    <div>
      <p className="mb-2 flex min-h-7 flex-wrap items-center gap-x-3 text-xs text-muted">
        <span>
          {pluralize(count("changed"), unit)} changed, {count("added")} added, {count("removed")} removed since{" "}
          {beforeName}
        </span>
        {(isCut || isWhole) && (
          <Button size="small" onClick={() => setWhole(!isWhole)}>
            {isWhole ? "Show the differences only" : "Show all"}
          </Button>
        )}
      </p>
      <section
        aria-label={`${afterName} compared with ${beforeName}`}
        className={unit === "line" ? "font-mono text-xs wrap-anywhere" : "prose-result space-y-1"}
      >
        {all.slice(0, limit).map((row, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name, and never move
          <Fragment key={at}>
            {typeof row === "number" ? <Folded count={row} unit={unit} /> : <Change row={row} />}
          </Fragment>
        ))}
      </section>
      {all.length > limit && (
        <Button size="small" className="mt-2" onClick={() => setLimit(limit * 2)}>
          Show more
        </Button>
      )}
    </div>
  );
}

const Folded = ({ count, unit }: { count: number; unit: string }) => (
  <p className="text-xs text-muted">⋯ {pluralize(count, unit)} the same</p>
);

/** Keep the unchanged rows next to a change; of the others in a row, their number. */
function foldUnchanged(rows: readonly Row[]): (Row | number)[] {
  const isNear = new Set<number>();
  for (const [at, { kind }] of rows.entries()) {
    if (kind === "same") continue;
    for (let near = at - DIFF_AROUND_BLOCKS; near <= at + DIFF_AROUND_BLOCKS; near += 1) isNear.add(near);
  }
  const kept: (Row | number)[] = [];
  for (const [at, row] of rows.entries()) {
    const last = kept.at(-1);
    if (isNear.has(at)) kept.push(row);
    else if (typeof last === "number") kept[kept.length - 1] = last + 1;
    else kept.push(1);
  }
  return kept;
}

/** What a row was and is: one below the other, and beside it where the window is wide. */
function Change({ row }: { row: Row }) {
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

function TextColumn({ name, text }: { name: string; text: string }) {
  return (
    <div className="min-w-0">
      <p className="font-medium">{name}</p>
      <pre tabIndex={0} dir="auto" className="max-h-[50vh] overflow-auto text-xs whitespace-pre-wrap wrap-anywhere">
        {text}
      </pre>
    </div>
  );
}
