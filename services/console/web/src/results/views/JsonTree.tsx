import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { ExactNumber } from "@/lib/exact-json";
import { pluralize } from "@/lib/format";
import { STRING_SHOWN_CHARS } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";
import { INITIAL_TREE, isBranch, listLines, type Node, showMore, toggleNode } from "./json-tree-lines";

const ROW_PX = 22;
const HEIGHT_MAX_PX = 480;

/** JSON value as a tree, of which only visible lines are drawn. */
export function JsonTree({ value, label = "JSON" }: { value: unknown; label?: string }) {
  const [state, setState] = useState(INITIAL_TREE);
  const lines = useMemo(() => listLines(value, state), [value, state]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    estimateSize: () => ROW_PX,
    getScrollElement: () => box.current,
    overscan: 20,
    useFlushSync: false,
    initialRect: { width: 600, height: HEIGHT_MAX_PX },
  });
  return (
    <section
      ref={box}
      aria-label={label}
      tabIndex={0}
      className="overflow-auto font-mono text-xs"
      style={{ height: Math.min(lines.length * ROW_PX + 4, HEIGHT_MAX_PX) }}
    >
      <div className="relative min-w-max" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const node = lines[index];
          return node ? (
            <div
              key={`${node.path}${node.more ? "+" : ""}`}
              className="absolute left-0 flex h-[22px] items-center whitespace-pre"
              style={{ top: start, paddingLeft: node.depth * 16 }}
            >
              <Line
                node={node}
                onToggle={() => setState(toggleNode(state, node))}
                onMore={() => setState(showMore(state, node.path))}
              />
            </div>
          ) : null;
        })}
      </div>
    </section>
  );
}

type LineProps = { node: Node; onToggle: () => void; onMore: () => void };

function Line({ node, onToggle, onMore }: LineProps) {
  if (node.more) {
    return (
      <Button kind="quiet" size="small" onClick={onMore}>
        {node.more} more
      </Button>
    );
  }
  const name = node.name !== null && (
    <span className="text-muted">
      <bdi>{node.name}</bdi>:{" "}
    </span>
  );
  if (node.size === null) {
    return (
      <span className="pl-4">
        {name}
        <Leaf value={node.value} />
      </span>
    );
  }
  const Icon = node.isOpen ? ChevronDown : ChevronRight;
  return (
    <button type="button" aria-expanded={node.isOpen} onClick={onToggle} className="flex items-center">
      <Icon aria-hidden size={14} className="mr-0.5 text-muted" />
      {name}
      <span className="text-muted">
        {Array.isArray(node.value) ? `[${pluralize(node.size, "item")}]` : `{${pluralize(node.size, "field")}}`}
      </span>
    </button>
  );
}

function Leaf({ value }: { value: unknown }) {
  if (value instanceof ExactNumber) return <span className="text-running">{value.source}</span>;
  if (typeof value === "string") return <StringLeaf text={value} />;
  if (typeof value === "number") return <span className="text-running">{String(value)}</span>;
  return <span className="text-rejected">{isBranch(value) ? "" : String(value)}</span>;
}

function StringLeaf({ text }: { text: string }) {
  const shown = JSON.stringify(text.slice(0, STRING_SHOWN_CHARS));
  return (
    <span className="text-completed">
      <bdi>{shown}</bdi>
      {text.length > STRING_SHOWN_CHARS && <span className="text-muted"> … {text.length} characters</span>}
    </span>
  );
}
