import { ChevronDown, SlidersHorizontal, X } from "lucide-react";
import { lazy, type RefObject, Suspense, useState } from "react";
import { useAgentNames } from "@/api/agents";
import { FILTERS, type Filter, SORTS, type Sort } from "@/jobs/fields";
import { listFilters } from "@/jobs/list/search/describe-search";
import { isSet, type SearchProps } from "@/jobs/list/search/jobs-search";
import { cn } from "@/lib/cn";
import { loadPart } from "@/lib/load-part";
import { useMedia } from "@/lib/use-media";
import { Button } from "@/ui/controls/button";
import { Select } from "@/ui/controls/field";
import { Skeleton } from "@/ui/display/states";
import { toIntlZone, useZone } from "@/ui/display/time";
import { Popover } from "@/ui/overlays/popover";
import { QueryField } from "./QueryField";

type FilterBarProps = SearchProps & { onClear: () => void; textRef: RefObject<HTMLInputElement | null> };

/** Bar of filters; their values are the address. It is one row from 1280 px on, also until the font is there. */
export function FilterBar({ search, onChange, onClear, textRef }: FilterBarProps) {
  const isFolded = useMedia("(max-width: 1023px)"); // the menus are behind a button
  const [isOpen, setOpen] = useState(false);
  const [clears, setClears] = useState(0);
  return (
    <search className="flex min-w-0 grow basis-0 flex-wrap items-start gap-2 max-sm:basis-full">
      <QueryField
        key={clears}
        search={search}
        onChange={onChange}
        onClear={() => {
          setClears(clears + 1); // discard drafts, too
          onClear();
        }}
        inputRef={textRef}
      />
      {isFolded && (
        <Button aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <SlidersHorizontal aria-hidden size={14} /> Filters
        </Button>
      )}
      {(isOpen || !isFolded) && <FilterMenus search={search} onChange={onChange} />}
      <FilterChips search={search} onChange={onChange} />
    </search>
  );
}

/** Read when one is first opened. */
const FilterMenu = lazy(() => loadPart(() => import("@/jobs/list/filters/menus/FilterMenu")));

const MENUS = FILTERS.filter(({ kind }) => kind !== "status"); // the counts are its menu

/** Menus of the filters, which wrap as a whole; each one reads its values when it is opened. */
function FilterMenus({ search, onChange }: SearchProps) {
  const [open, setOpen] = useState<Filter | null>(null);
  const menus = MENUS.map((filter) => {
    const { word, name } = filter;
    const isMarked = isSet(search, filter);
    return (
      <Popover
        key={word}
        label={name}
        open={open === filter}
        onOpenChange={(isOpen) => setOpen(isOpen ? filter : null)}
        trigger={
          <Button className={cn("gap-0.5 px-2", isMarked && "border-accent bg-running-tint")}>
            {name}
            {isMarked && <span className="sr-only">, is set</span>}
            <ChevronDown aria-hidden size={12} className="text-muted" />
          </Button>
        }
      >
        <Suspense fallback={<Skeleton className="h-40 w-64" />}>
          <FilterMenu filter={filter} search={search} onChange={onChange} onClose={() => setOpen(null)} />
        </Suspense>
      </Popover>
    );
  });
  return <div className="flex flex-wrap gap-1 pointer-coarse:gap-2">{menus}</div>;
}

/** Chips of the filters that are set, each with a button to remove it. */
function FilterChips({ search, onChange }: SearchProps) {
  const zone = toIntlZone(useZone()[0]);
  const { nameOf } = useAgentNames();
  const filters = listFilters(search, zone, nameOf);
  if (filters.length === 0) return null;
  return (
    <ul aria-label="Filters" className="flex w-full flex-wrap gap-1">
      {filters.map(({ words, without }) => (
        <li key={words} className="max-w-full">
          <button
            type="button"
            aria-label={`Remove the filter ${words}`}
            onClick={(event) => {
              event.currentTarget.closest("search")?.querySelector("input")?.focus();
              onChange(without);
            }}
            className="inline-flex min-h-6 max-w-full items-center gap-1 rounded border bg-sunken px-2 text-xs hover:border-control pointer-coarse:min-h-11"
          >
            <bdi className="truncate">{words}</bdi>
            <X aria-hidden size={12} className="shrink-0" />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Choice of the order, also by what no column shows. */
export function SortChoice({ search, onChange }: SearchProps) {
  const { sort = "created", ascending } = search;
  return (
    <Select
      aria-label="Sort"
      className="w-auto min-w-0 shrink-0 max-sm:shrink max-sm:grow"
      value={`${sort}${ascending ? "+" : ""}`}
      onChange={({ target: { value } }) => {
        const chosen = value.replace("+", "") as Sort;
        onChange({
          sort: chosen === "created" ? undefined : chosen,
          ascending: value.endsWith("+") ? true : undefined,
        });
      }}
    >
      {SORTS.flatMap(({ word: each, words: [words, ascendingWords] }) => [
        <option key={each} value={each}>
          {words}
        </option>,
        ascendingWords && (
          <option key={`${each}+`} value={`${each}+`}>
            {ascendingWords}
          </option>
        ),
      ])}
    </Select>
  );
}
