import { Fragment, useMemo, useState } from "react";
import { cn } from "@/lib/cn";
import { pluralize } from "@/lib/format";
import { compareLines, type DiffPart, type Kind, type Piece } from "@/results/model/diff-lines";
import { DIFF_AROUND_LINES, DIFF_LINES_SHOWN } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";

type DiffViewProps = { before: string; after: string; beforeName: string; afterName: string };
type Line = Piece[] | string;

/** Difference of two texts by line and word; side by side when they are too large or have too little in common. */
export function DiffView({ before, after, beforeName, afterName }: DiffViewProps) {
  const [isWhole, setWhole] = useState(false);
  const parts = useMemo(() => compareLines(before, after), [before, after]);
  if (before === after) return <p className="text-muted">Both are the same.</p>;
  if (!parts) {
    return (
      <div>
        <p className="mb-2 text-muted">They are too large or too different to compare line by line.</p>
        <div className="grid gap-3 md:grid-cols-2">
          <TextColumn name={beforeName} text={before} />
          <TextColumn name={afterName} text={after} />
        </div>
      </div>
    );
  }
  const shown = parts.map((part, index) =>
    isWhole ? part.lines : trimUnchanged(part, index > 0, index < parts.length - 1),
  );
  const isCut = parts.some(({ lines }, index) => lines.length !== shown[index]?.length);
  return (
    <div>
      <p className="mb-2 flex min-h-7 flex-wrap items-center gap-x-3 text-xs text-muted">
        <span>
          {pluralize(countLines(parts, "added"), "line")} added, {countLines(parts, "removed")} removed since{" "}
          {beforeName}
        </span>
        {(isCut || isWhole) && (
          <Button size="small" onClick={() => setWhole(!isWhole)}>
            {isWhole ? "Show the differences only" : "Show all lines"}
          </Button>
        )}
      </p>
      <section aria-label={`${afterName} compared with ${beforeName}`} className="font-mono text-xs">
        {parts.map(({ kind }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name, and never move
          <Part key={index} kind={kind} lines={shown[index] ?? []} />
        ))}
      </section>
    </div>
  );
}

const SIGNS: Record<Kind, string> = { added: "+ ", removed: "− ", same: "  " };
const TINTS: Record<Kind, string> = { added: "bg-completed-tint", removed: "bg-failed-tint", same: "" };
const CHANGED: Record<Kind, string> = { added: "bg-completed/30", removed: "bg-failed/30", same: "" };

function Part({ kind, lines }: { kind: Kind; lines: readonly Line[] }) {
  const left = lines.length - DIFF_LINES_SHOWN;
  return (
    <div className={TINTS[kind]}>
      {kind !== "same" && <span className="sr-only">{kind}: </span>}
      {lines.slice(0, DIFF_LINES_SHOWN).map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name, and never move
        <div key={index} className="flex whitespace-pre-wrap">
          <span className="shrink-0 select-none">{SIGNS[kind]}</span>
          <span dir="auto" className="min-h-4 min-w-0 wrap-anywhere">
            {typeof line === "string" ? line : <Words kind={kind} pieces={line} />}
          </span>
        </div>
      ))}
      {left > 0 && <p className="text-muted">⋯ {pluralize(left, "more line")}, in the download</p>}
    </div>
  );
}

/** Text of a line; the words that differ are marked. */
function Words({ kind, pieces }: { kind: Kind; pieces: readonly Piece[] }) {
  const Tag = kind === "added" ? "ins" : "del";
  return pieces.map(({ text, isChanged }, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no other name, and never move
    <Fragment key={at}>
      {isChanged ? <Tag className={cn("rounded-sm no-underline", CHANGED[kind])}>{text}</Tag> : text}
    </Fragment>
  ));
}

const countLines = (parts: readonly DiffPart[], kind: Kind) =>
  parts.reduce((sum, part) => sum + (part.kind === kind ? part.lines.length : 0), 0);

/** Return the lines of a part; of an unchanged one, only those next to a change. */
function trimUnchanged({ kind, lines }: DiffPart, hasBefore: boolean, hasAfter: boolean): Line[] {
  if (kind !== "same" || lines.length <= 2 * DIFF_AROUND_LINES + 1) return lines;
  return [
    ...(hasBefore ? lines.slice(0, DIFF_AROUND_LINES) : []),
    `⋯ ${pluralize(lines.length - DIFF_AROUND_LINES * (Number(hasBefore) + Number(hasAfter)), "line")} the same`,
    ...(hasAfter ? lines.slice(-DIFF_AROUND_LINES) : []),
  ];
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
