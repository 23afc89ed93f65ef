import { ChevronDown, ChevronUp } from "lucide-react";
import { useMemo } from "react";
import { Button } from "@/ui/controls/button";
import { Input, Select } from "@/ui/controls/field";
import { type Entry, listHeadings } from "./document-entries";

type Search = { query: string; turn: number };

type DocumentToolsProps = {
  entries: readonly Entry[];
  search: Search;
  onSearch: (search: Search) => void;
  /** Number of places of what is looked for, and which of them is shown. */
  found: number;
  at: number;
  /** Whether evidence is looked for, and not what was typed. */
  isEvidence: boolean;
  onGo: (entry: number) => void;
};

const OUTLINE_MIN = 3;
const OUTLINE_MAX = 500;
const HEADING_CHARS = 80;

/** Outline of a document, and a search in it: also in what is not drawn yet. */
export function DocumentTools({ entries, search, onSearch, found, at, isEvidence, onGo }: DocumentToolsProps) {
  const headings = useMemo(() => listHeadings(entries), [entries]);
  const isSearching = search.query.trim() !== "";
  const turn = (by: number) => onSearch({ ...search, turn: (search.turn + by + found) % Math.max(found, 1) });
  return (
    <div className="sticky top-0 z-10 flex min-h-11 flex-wrap items-center gap-2 bg-surface py-1">
      {headings.length >= OUTLINE_MIN && (
        <Select
          aria-label="Outline"
          className="w-auto max-w-52"
          value=""
          onChange={(event) => onGo(Number(event.target.value))}
        >
          <option value="" disabled hidden>
            Outline
          </option>
          {headings.slice(0, OUTLINE_MAX).map(({ entry, depth, text }) => (
            <option key={entry} value={entry}>
              {"\u2003".repeat(depth - 1)}
              {text.slice(0, HEADING_CHARS)}
            </option>
          ))}
        </Select>
      )}
      <Input
        type="search"
        aria-label="Find in the result"
        placeholder="Find"
        className="h-7 w-40 text-xs"
        value={search.query}
        onChange={(event) => onSearch({ query: event.target.value, turn: 0 })}
        onKeyDown={(event) => {
          if (event.key === "Enter") turn(event.shiftKey ? -1 : 1);
        }}
      />
      {isSearching && found > 0 && (
        <span className="flex">
          <Button kind="quiet" size="icon" className="size-7" aria-label="Previous place" onClick={() => turn(-1)}>
            <ChevronUp aria-hidden size={14} />
          </Button>
          <Button kind="quiet" size="icon" className="size-7" aria-label="Next place" onClick={() => turn(1)}>
            <ChevronDown aria-hidden size={14} />
          </Button>
        </span>
      )}
      <p role="status" className="text-xs text-muted">
        {(isSearching || isEvidence) && (found > 0 ? `place ${at + 1} of ${found}` : isSearching && "not found")}
      </p>
    </div>
  );
}
