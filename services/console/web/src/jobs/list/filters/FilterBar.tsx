import { SlidersHorizontal } from "lucide-react";
import { type RefObject, useState } from "react";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { useMedia } from "@/lib/use-media";
import { Button } from "@/ui/controls/button";
import { FilterChips } from "./FilterChips";
import { FilterMenus } from "./FilterMenus";
import { QueryField } from "./QueryField";

type FilterBarProps = {
  search: JobsSearch;
  /** Changes the filters. Typing replaces the address, choosing adds to the history. */
  onChange: (change: Partial<JobsSearch>, replace?: boolean) => void;
  onClear: () => void;
  textRef: RefObject<HTMLInputElement | null>;
};

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
