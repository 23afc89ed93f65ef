import { type RefObject, useState } from "react";
import { SORTS, type Sort } from "@/jobs/fields";
import type { SearchProps } from "@/jobs/list/search/jobs-search";
import { Select } from "@/ui/controls/field";
import { AddFilter } from "./AddFilter";
import { FilterChips } from "./FilterChips";
import { QueryField } from "./QueryField";

type FilterBarProps = SearchProps & { onClear: () => void; textRef: RefObject<HTMLInputElement | null> };

/** One line to search by, what adds a filter to it, and a chip for each that is set; their values are the address. */
export function FilterBar({ search, onChange, onClear, textRef }: FilterBarProps) {
  const [clears, setClears] = useState(0);
  const [typed, type] = useState<{ query: string }>();
  return (
    <search className="flex min-w-0 grow basis-0 flex-wrap items-start gap-2 max-sm:basis-full">
      <QueryField
        key={clears}
        search={search}
        typed={typed}
        onChange={onChange}
        onClear={() => {
          type(undefined);
          setClears(clears + 1); // discard drafts, too
          onClear();
        }}
        inputRef={textRef}
      />
      <AddFilter search={search} onChange={onChange} />
      <FilterChips search={search} onChange={onChange} onType={(query) => type({ query })} />
    </search>
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
