import { SlidersHorizontal, X } from "lucide-react";
import { type RefObject, useState } from "react";
import { isFiltered, type JobsSearch } from "@/jobs/list/search/jobs-search";
import { Button } from "@/ui/controls/button";
import { FilterChips } from "./FilterChips";
import { FilterMenus } from "./FilterMenus";
import { QueryField } from "./QueryField";

type FilterBarProps = {
  search: JobsSearch;
  /** Whether all filters but the search are behind a button. */
  isNarrow: boolean;
  /** Changes the filters. Typing replaces the address, choosing adds to the history. */
  onChange: (change: Partial<JobsSearch>, replace?: boolean) => void;
  onClear: () => void;
  textRef: RefObject<HTMLInputElement | null>;
};

/** Bar of filters; their values are the address. */
export function FilterBar({ search, isNarrow, onChange, onClear, textRef }: FilterBarProps) {
  const [isOpen, setOpen] = useState(false);
  const [clears, setClears] = useState(0);
  return (
    <search className="flex min-w-0 grow basis-0 flex-wrap items-start gap-2 max-sm:basis-full">
      <QueryField key={clears} search={search} onChange={onChange} inputRef={textRef} />
      {isNarrow && (
        <Button aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <SlidersHorizontal aria-hidden size={14} /> Filters
        </Button>
      )}
      {(isOpen || !isNarrow) && <FilterMenus search={search} onChange={onChange} />}
      <Button
        kind="quiet"
        size="icon"
        aria-label="Clear the filters"
        title="Clear the filters"
        className={isFiltered(search) ? "" : "invisible max-sm:hidden"}
        onClick={() => {
          setClears(clears + 1); // discard drafts, too
          onClear();
        }}
      >
        <X aria-hidden size={14} />
      </Button>
      <FilterChips search={search} onChange={onChange} />
    </search>
  );
}
