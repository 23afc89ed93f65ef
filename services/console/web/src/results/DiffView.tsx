import { diffLines } from "diff";
import { useMemo } from "react";
import { cn } from "@/lib/cn";
import { DIFF_MAX_CHARS, DIFF_TIMEOUT_MS } from "./limits";

type DiffViewProps = { before: string; after: string; beforeName: string; afterName: string };

/** What one text has that the other has not, line by line; side by side where they have too little in common. */
export function DiffView({ before, after, beforeName, afterName }: DiffViewProps) {
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
          <Side name={beforeName} text={before} />
          <Side name={afterName} text={after} />
        </div>
      </div>
    );
  }
  return (
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
              {part.value
                .replace(/\n$/, "")
                .split("\n")
                .map((line) => `${sign} ${line}`)
                .join("\n")}
            </div>
          );
        })}
      </div>
    </section>
  );
}

function Side({ name, text }: { name: string; text: string }) {
  return (
    <div className="min-w-0">
      <p className="font-medium">{name}</p>
      <pre tabIndex={0} className="max-h-[50vh] overflow-auto text-xs whitespace-pre-wrap wrap-anywhere">
        {text}
      </pre>
    </div>
  );
}
