import { Fragment, useMemo, useState } from "react";
import { pluralize } from "@/lib/format";
import { CHARS_PER_WEIGHT, DIFF_AROUND_BLOCKS, DIFF_ROW_WEIGHT, DIFF_WEIGHT_SHOWN } from "@/results/model/limits";
import { weighNode } from "@/results/worker/split-nodes";
import { useWorker } from "@/results/worker/use-worker";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { DiffRow, type Row } from "./DiffRow";
import { TextView } from "./TextView";

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
  return <Changes rows={changes} unit={UNITS[kind]} {...names} />;
}

const UNITS = { markdown: "block", json: "value", text: "line" };

type ChangesProps = { rows: readonly Row[]; unit: string; beforeName: string; afterName: string };

function Changes({ rows, unit, beforeName, afterName }: ChangesProps) {
  const [isWhole, setWhole] = useState(false);
  const [limit, setLimit] = useState(DIFF_WEIGHT_SHOWN);
  const near = useMemo(() => foldUnchanged(rows), [rows]);
  const all: readonly (Row | number)[] = isWhole ? rows : near;
  const shown = useMemo(() => takeLight(all, limit), [all, limit]);
  const isCut = near.length < rows.length;
  const count = (kind: Row["kind"]) => rows.filter((row) => row.kind === kind).length;
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
        {shown.map((row, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name, and never move
          <Fragment key={at}>
            {typeof row === "number" ? <Folded count={row} unit={unit} /> : <DiffRow row={row} />}
          </Fragment>
        ))}
      </section>
      {all.length > shown.length && (
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
  const kept: (Row | number)[] = [];
  for (const [at, row] of rows.entries()) {
    const last = kept.at(-1);
    const around = rows.slice(Math.max(0, at - DIFF_AROUND_BLOCKS), at + DIFF_AROUND_BLOCKS + 1);
    if (row.kind !== "same" || around.some(({ kind }) => kind !== "same")) kept.push(row);
    else if (typeof last === "number") kept[kept.length - 1] = last + 1;
    else kept.push(1);
  }
  return kept;
}

/** Take so many of the first rows as are drawn at once; one at least. */
function takeLight(rows: readonly (Row | number)[], most: number) {
  let weight = 0;
  const end = rows.findIndex((row, at) => {
    weight += DIFF_ROW_WEIGHT + (typeof row === "number" ? 0 : weighRow(row));
    return at > 0 && weight > most;
  });
  return end < 0 ? rows : rows.slice(0, end);
}

function weighRow(row: Row): number {
  if ("path" in row) return (row.path.length + (row.before?.length ?? 0) + (row.after?.length ?? 0)) / CHARS_PER_WEIGHT;
  if (row.kind !== "changed") return weighNode(row.block.node);
  const { before, after, words } = row;
  return weighNode(before.node) + weighNode(after.node) + (words ? words.before.length + words.after.length : 0);
}

function TextColumn({ name, text }: { name: string; text: string }) {
  return (
    <div className="min-w-0">
      <p className="font-medium">{name}</p>
      <TextView text={text} />
    </div>
  );
}
