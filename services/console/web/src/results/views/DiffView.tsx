import { Fragment, useMemo, useState } from "react";
import { pluralize } from "@/lib/format";
import { DIFF_AROUND_BLOCKS, DIFF_BLOCKS_SHOWN } from "@/results/model/limits";
import { useWorker } from "@/results/worker/use-worker";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { DiffRow, type JsonRow, type Row } from "./DiffRow";
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
  const rows = changes.map((change) => ("path" in change ? toRow(change) : change));
  return <Changes rows={rows} unit={UNITS[kind]} {...names} />;
}

const UNITS = { markdown: "block", json: "value", text: "line" };

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
            {typeof row === "number" ? <Folded count={row} unit={unit} /> : <DiffRow row={row} />}
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

function TextColumn({ name, text }: { name: string; text: string }) {
  return (
    <div className="min-w-0">
      <p className="font-medium">{name}</p>
      <TextView text={text} />
    </div>
  );
}
