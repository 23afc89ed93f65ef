import { type ReactNode, useState } from "react";
import { cn } from "@/lib/cn";
import { SortHead } from "@/ui/controls/sort-head";

/** Column of figures: its value, by which rows are sorted, and what is shown. */
export type Column<Row> = {
  key: string;
  name: string;
  valueOf: (row: Row) => string | number | null | undefined;
  show: (row: Row) => ReactNode;
  /** Whether it is left out where there is little room. */
  isExtra?: boolean;
};

type FigureTableProps<Row> = {
  title: string;
  hint: string;
  /** The first has the row's name. */
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  none: string;
  /** Column by which it is sorted, with a minus the other way round; without one, as rows are given. */
  sorted?: string;
  onSort: (sorted: string) => void;
  /** Stands below all rows, whatever they are sorted by. */
  footer?: ReactNode;
};

/** Rows that are shown at first. */
const SHOWN = 10;

/** Table of figures that is sorted by a click on the head of a column: highest figures first, names from A. */
export function FigureTable<Row>(props: FigureTableProps<Row>) {
  const { title, hint, columns, rows, keyOf, none, sorted, onSort, footer } = props;
  const [isWhole, showAll] = useState(false);
  const shown = sortRows(rows, columns, sorted);
  return (
    <section aria-label={title} className="min-w-0 space-y-2">
      <div>
        <h2 className="text-lg font-semibold">{title}</h2>
        <p className="text-muted">{hint}</p>
      </div>
      {rows.length === 0 ? (
        <p className="border-y py-2 text-muted">{none}</p>
      ) : (
        <table className="w-full border-collapse">
          <caption className="sr-only">{title}</caption>
          <thead>
            <tr className="h-8 border-b text-left">
              {columns.map(({ key, name, isExtra }, place) => (
                <SortHead
                  key={key}
                  name={name}
                  order={sorted === key ? orderOf(place) : sorted === `-${key}` ? orderOf(place, true) : undefined}
                  onSort={() => onSort(sorted === key ? `-${key}` : key)}
                  className={cn(place > 0 && "w-20 text-right sm:w-32", isExtra && "max-sm:hidden")}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, isWhole ? undefined : SHOWN).map((row) => (
              <tr key={keyOf(row)} className="border-b align-top">
                {columns.map(({ key, show, isExtra }, place) =>
                  place === 0 ? (
                    <th key={key} scope="row" className="px-2 py-1.5 text-left font-normal wrap-anywhere">
                      {show(row)}
                    </th>
                  ) : (
                    <td
                      key={key}
                      className={cn(
                        "px-2 py-1.5 text-right whitespace-nowrap tabular-nums",
                        isExtra && "max-sm:hidden",
                      )}
                    >
                      {show(row)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {rows.length > SHOWN && !isWhole && (
        <button
          type="button"
          onClick={() => showAll(true)}
          className="inline-flex min-h-6 items-center text-accent underline pointer-coarse:min-h-11"
        >
          Show all {rows.length}
        </button>
      )}
      {footer}
    </section>
  );
}

/** Order of a column: figures begin with the highest. */
const orderOf = (place: number, isReversed = false) =>
  (place === 0) === isReversed ? ("descending" as const) : ("ascending" as const);

function sortRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], sorted = ""): readonly Row[] {
  const place = columns.findIndex(({ key }) => key === sorted.replace(/^-/, ""));
  const column = columns[place];
  if (!column) return rows;
  const sign = (place === 0) === sorted.startsWith("-") ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [column.valueOf(one), column.valueOf(other)];
    if (a == null || b == null) return Number(a == null) - Number(b == null);
    return a < b ? -sign : a > b ? sign : 0;
  });
}
