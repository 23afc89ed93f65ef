import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type RefObject, useEffect, useLayoutEffect, useState } from "react";
import { facetsQuery } from "@/jobs/list/search/facets";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { listWords } from "@/jobs/list/search/split-query";
import { findSuggestedField, suggest } from "@/jobs/list/search/suggest";
import { cn } from "@/lib/cn";
import { formatCapped } from "./ValueMenu";

type SuggestionsProps = {
  id: string;
  text: string;
  search: JobsSearch;
  onTake: (text: string) => void;
  /** Called with the id of the active suggestion, "" when none is, undefined when there are none. */
  onActive: (id: string | undefined) => void;
  /** Holds what handles a key, and returns whether it did. */
  onKeyRef: RefObject<((event: KeyboardEvent) => boolean) | null>;
};

const STEPS: Record<string, number | undefined> = { ArrowDown: 1, ArrowUp: -1 };

/** Fields and values with which what is being typed may go on. */
export default function Suggestions({ id, text, search, onTake, onActive, onKeyRef }: SuggestionsProps) {
  const [chosen, choose] = useState({ at: -1, of: text });
  const [closedOf, close] = useState<string>();
  const field = findSuggestedField(text);
  const words = listWords(text).join(" ") || undefined; // what was searched for is being typed anew
  const { data } = useQuery({ ...facetsQuery(field ?? "", { ...search, text: words }), enabled: field !== undefined });
  const shown = closedOf === text ? [] : suggest(text, data?.facets ?? []);
  const at = chosen.of === text ? Math.min(chosen.at, shown.length - 1) : -1;
  const active = at < 0 ? "" : `${id}-${at}`;
  const told = shown.length > 0 ? active : undefined;
  useEffect(() => {
    onActive(told);
    return () => onActive(undefined);
  }, [told, onActive]);

  const handleKey = (event: KeyboardEvent): boolean => {
    const by = STEPS[event.key];
    const taken = shown[at];
    if (by !== undefined) choose({ at: step(at, by, shown.length), of: text });
    else if (event.key === "Escape") close(text);
    else if (taken && (event.key === "Enter" || event.key === "Tab")) onTake(taken.text);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  useLayoutEffect(() => {
    onKeyRef.current = shown.length > 0 ? handleKey : null;
    return () => {
      onKeyRef.current = null;
    };
  });
  if (shown.length === 0) return null;
  return (
    <div
      id={id}
      role="listbox"
      aria-label="Suggestions"
      className="absolute top-full left-0 z-30 mt-1 w-full max-w-md rounded border bg-surface p-1 shadow-lg"
    >
      {shown.map((each, index) => (
        <div
          key={each.part}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === at}
          className={cn(
            "flex min-h-8 cursor-pointer items-center justify-between gap-2 rounded px-2 hover:bg-sunken pointer-coarse:min-h-11",
            index === at && "bg-sunken",
          )}
          onMouseDown={(event) => {
            event.preventDefault(); // the field keeps the focus
            onTake(each.text);
          }}
        >
          <bdi className="truncate font-mono text-xs">{each.part}</bdi>
          {data && each.count !== undefined && (
            <span className="shrink-0 text-muted">{formatCapped(each.count, data)}</span>
          )}
        </div>
      ))}
    </div>
  );
}

/** Step to the next or previous place of a list, from its end to its beginning. */
function step(at: number, by: number, length: number): number {
  return at < 0 && by < 0 ? length - 1 : (at + by + length) % length;
}
