import { Columns3 } from "lucide-react";
import { COLUMNS, type Column, type ColumnId, SORTS, type Sort } from "@/jobs/fields";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/controls/button";
import { Checkbox } from "@/ui/controls/field";
import { SortHead } from "@/ui/controls/sort-head";
import { Popover } from "@/ui/overlays/popover";

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
        {columns.map(({ id, key, name, px, isNumber }) => {
          const sort = SORTS.find((each) => each.key === key)?.word;
          if (sort === undefined) {
            return (
              <th
                key={id}
                scope="col"
                className={cn("px-2 font-medium text-muted", isNumber && "text-right")}
                style={{ width: px }}
              >
                {name}
              </th>
            );
          }
          const isSorted = (search.sort ?? "created") === sort;
          return (
            <SortHead
              key={id}
              name={name}
              order={isSorted ? (search.ascending ? "ascending" : "descending") : undefined}
              onSort={() => onSort(sort)}
              className={cn(isNumber && "text-right")}
              style={{ width: px }}
            />
          );
        })}
      </tr>
    </thead>
  );
}

type ColumnChoiceProps = { hidden: readonly ColumnId[]; onChange: (hidden: ColumnId[]) => void };

/** Menu of the columns shown in this browser. */
export function ColumnChoice({ hidden, onChange }: ColumnChoiceProps) {
  return (
    <Popover
      label="Columns"
      align="end"
      trigger={
        <Button>
          <Columns3 aria-hidden size={14} /> Columns
        </Button>
      }
    >
      <ul>
        {COLUMNS.filter(({ isFixed }) => !isFixed).map(({ id, name }) => (
          <li key={id}>
            <label className="flex min-h-8 items-center gap-2">
              <Checkbox
                checked={!hidden.includes(id)}
                onChange={(event) =>
                  onChange(event.target.checked ? hidden.filter((each) => each !== id) : [...hidden, id])
                }
              />
              {name}
            </label>
          </li>
        ))}
      </ul>
    </Popover>
  );
}
