import { ChevronDown, ChevronRight } from "lucide-react";
import { ExactNumber, isBranch } from "@/lib/exact-json";
import { formatCount, pluralize } from "@/lib/format";
import { findPlaces, type Quote } from "@/results/model/evidence";
import { STRING_SHOWN_CHARS, TEXT_MAX_CHARS } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";
import type { Node } from "./json-tree-lines";
import { MarkedText } from "./MarkedText";

type JsonTreeLineProps = {
  node: Node;
  quotes: readonly Quote[];
  /** Id of the quote in focus, and where its place in this line begins, if that is here. */
  asked: string | undefined;
  current: number | undefined;
  /** Whether a long string is shown whole. */
  isOpen: boolean;
  onToggle: () => void;
  onToggleString: () => void;
  onMore: () => void;
};

/** Line of a tree: a branch that opens, a value, or the button that shows more. */
export function JsonTreeLine(props: JsonTreeLineProps) {
  const { node, onToggle, onMore } = props;
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
      <span className="min-w-0 pl-4 whitespace-pre-wrap wrap-anywhere">
        {name}
        <Leaf {...props} />
      </span>
    );
  }
  const Icon = node.isOpen ? ChevronDown : ChevronRight;
  return (
    <button type="button" aria-expanded={node.isOpen} onClick={onToggle} className="flex min-w-0 items-start text-left">
      <Icon aria-hidden size={14} className="mt-px mr-0.5 shrink-0 text-muted" />
      <span className="min-w-0 wrap-anywhere">
        {name}
        <span className="text-muted">
          {Array.isArray(node.value) ? `[${pluralize(node.size, "item")}]` : `{${pluralize(node.size, "field")}}`}
        </span>
      </span>
    </button>
  );
}

function Leaf(props: JsonTreeLineProps) {
  const { value } = props.node;
  if (typeof value === "string") return <StringLeaf {...props} text={value} />;
  if (value instanceof ExactNumber) return <span className="text-running">{value.source}</span>;
  if (typeof value === "number") return <span className="text-running">{String(value)}</span>;
  return <span className="text-rejected">{isBranch(value) ? "" : String(value)}</span>;
}

/** String as it reads: its line breaks are line breaks. */
function StringLeaf({ text, quotes, asked, current, isOpen, onToggleString }: JsonTreeLineProps & { text: string }) {
  const shown = text.slice(0, isOpen ? TEXT_MAX_CHARS : STRING_SHOWN_CHARS);
  const places = findPlaces(shown, quotes, asked);
  return (
    <span className="text-completed">
      <span aria-hidden>"</span>
      <bdi>
        <MarkedText text={shown} places={places} current={current} />
      </bdi>
      <span aria-hidden>{shown.length < text.length ? " …" : '"'}</span>
      {text.length > STRING_SHOWN_CHARS && (
        <Button kind="quiet" size="small" className="ml-1 h-5 font-sans" onClick={onToggleString}>
          {isOpen ? "Show less" : `Show all ${formatCount(text.length)} characters`}
        </Button>
      )}
    </span>
  );
}
