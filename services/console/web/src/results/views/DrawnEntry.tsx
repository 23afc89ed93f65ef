import { useMemo } from "react";
import { cn } from "@/lib/cn";
import type { Focus, Quote } from "@/results/model/evidence";
import { DrawnNode } from "./DrawnNode";
import type { Entry } from "./document-entries";
import { JsonTree } from "./JsonTree";
import { TableView } from "./TableView";

type DrawnEntryProps = {
  entry: Entry;
  quotes: readonly Quote[];
  /** Quote in focus, if the place that is shown is here; and which it is of those here. */
  focus: Focus | null;
  turn: number;
};

/** Block of a text, or a field of an object. */
export function DrawnEntry({ entry, quotes, focus, turn }: DrawnEntryProps) {
  const own = useMemo(() => focus && { ...focus, turn }, [focus, turn]);
  if ("block" in entry) {
    const { node } = entry.block;
    return (
      <div className={cn("prose-column", node.isContinued && "prose-continued")}>
        <DrawnNode node={node} />
      </div>
    );
  }
  const { part } = entry;
  switch (part.kind) {
    case "name":
      return (
        <h2 className="prose-name">
          <bdi>{part.name}</bdi>
        </h2>
      );
    case "facts":
      return (
        <dl className="prose-column prose-facts">
          {part.facts.map(([name, value]) => (
            <div key={name}>
              <dt>
                <bdi>{name}</bdi>
              </dt>
              <dd dir="auto">{value}</dd>
            </div>
          ))}
        </dl>
      );
    case "image":
      return <img src={part.image} alt={part.name} className="my-2 max-h-[480px] max-w-full" />;
    case "table":
      return <TableView rows={part.rows} label={part.name} quotes={quotes} focus={own} />;
    case "tree":
      return <JsonTree value={part.value} label={part.name} quotes={quotes} focus={own} />;
  }
}
