import type { JobsSearch, Sort } from "@/jobs/list/search/jobs-search";
import { Select } from "@/ui/controls/field";

type Order = Pick<JobsSearch, "sort" | "ascending">;
type SortChoiceProps = { search: JobsSearch; onChange: (order: Order) => void };

/** Orders by what comes first; those of ended jobs show no others. */
const ORDERS: readonly (readonly [sort: Sort, words: string, ascendingWords?: string])[] = [
  ["created", "Newest", "Oldest"],
  ["updated", "Last updated", "Longest unchanged"],
  ["priority", "Most urgent"],
  ["cost", "Most expensive", "Cheapest"],
  ["duration", "Slowest", "Fastest"],
];

/** Choice of the order, also by what no column shows. */
export function SortChoice({ search, onChange }: SortChoiceProps) {
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
      {ORDERS.flatMap(([each, words, ascendingWords]) => [
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
