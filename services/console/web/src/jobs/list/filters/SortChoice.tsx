import { SORTS, type Sort } from "@/jobs/fields";
import type { SearchProps } from "@/jobs/list/search/jobs-search";
import { Select } from "@/ui/controls/field";

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
