import { type ChangeObject, diffLines } from "diff";
import { useMemo, useState } from "react";
import { cn } from "@/lib/cn";
import { pluralize } from "@/lib/format";
import { DIFF_AROUND_LINES, DIFF_MAX_CHARS, DIFF_TIMEOUT_MS } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";

type DiffViewProps = { before: string; after: string; beforeName: string; afterName: string };
type Part = ChangeObject<string>;

/** Difference of two texts by line; side by side when they are too large or have too little in common. */
export function DiffView({ before, after, beforeName, afterName }: DiffViewProps) {
  const [isWhole, setWhole] = useState(false);
  const parts = useMemo(() => {
    if (before.length + after.length > DIFF_MAX_CHARS) return undefined;
    return diffLines(before, after, { timeout: DIFF_TIMEOUT_MS });
  }, [before, after]);
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
    isWhole ? splitLines(part) : trimUnchanged(part, index > 0, index < parts.length - 1),
  );
  const isCut = parts.some((part, index) => splitLines(part).length !== shown[index]?.length);
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
      <section
        tabIndex={0}
        aria-label={`${afterName} compared with ${beforeName}`}
        className="max-h-[60vh] overflow-auto"
      >
        <div className="min-w-max font-mono text-xs whitespace-pre">
          {parts.map((part, index) => {
            const sign = part.added ? "+" : part.removed ? "−" : " ";
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name, and never move
              <div key={index} className={cn(part.added && "bg-completed-tint", part.removed && "bg-failed-tint")}>
                <span className="sr-only">{part.added ? "added: " : part.removed ? "removed: " : ""}</span>
                {shown[index]?.map((line) => `${sign} ${line}`).join("\n")}
              </div>
            );
          })}
        </div>
      </section>
    </div>
  );
}

const splitLines = (part: Part) => part.value.replace(/\n$/, "").split("\n");

const countLines = (parts: readonly Part[], kind: "added" | "removed") =>
  parts.reduce((sum, part) => sum + (part[kind] ? part.count : 0), 0);

/** Return the lines of a part; of an unchanged one, only those next to a change. */
function trimUnchanged(part: Part, hasBefore: boolean, hasAfter: boolean): string[] {
  const lines = splitLines(part);
  if (part.added || part.removed || lines.length <= 2 * DIFF_AROUND_LINES + 1) return lines;
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
