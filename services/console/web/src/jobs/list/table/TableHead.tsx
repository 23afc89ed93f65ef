import { ArrowDown, ArrowUp } from "lucide-react";
import { type Column, SORTS, type Sort } from "@/jobs/fields";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { cn } from "@/lib/cn";
import { Checkbox } from "@/ui/controls/field";

type TableHeadProps = {
  columns: readonly Column[];
  search: JobsSearch;
  isEmpty: boolean;
  isAll: boolean;
  onAll: (on: boolean) => void;
  onSort: (sort: Sort) => void;
};

/** Head of the table: names of columns, and by which the list is sorted. */
export function TableHead({ columns, search, isEmpty, isAll, onAll, onSort }: TableHeadProps) {
  return (
    <thead className="sticky top-0 z-10 bg-surface">
      <tr className="h-8 border-b text-left" aria-rowindex={1}>
        <th scope="col" className="w-10 px-3">
          <Checkbox
            aria-label="Select all that are shown"
            checked={isAll}
            disabled={isEmpty} // nothing would be selected of what is still to come
            onChange={(event) => onAll(event.target.checked)}
          />
        </th>
        {columns.map(({ id, key, name, px }) => {
          const sort = SORTS.find((each) => each.key === key)?.word;
          const isSorted = sort !== undefined && (search.sort ?? "created") === sort;
          const Arrow = search.ascending ? ArrowUp : ArrowDown;
          return (
            <th
              key={id}
              scope="col"
              aria-sort={isSorted ? (search.ascending ? "ascending" : "descending") : undefined}
              className={cn("px-2 font-medium text-muted", sort && "pointer-coarse:h-11")}
              style={{ width: px }}
            >
              {sort ? (
                <button
                  type="button"
                  onClick={() => onSort(sort)}
                  className="inline-flex min-h-6 items-center gap-1 hover:text-text pointer-coarse:min-h-11"
                >
                  {name}
                  {isSorted && <Arrow aria-hidden size={12} />}
                </button>
              ) : (
                name
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
