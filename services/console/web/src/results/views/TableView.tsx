import { ChevronDown, ChevronUp } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { cn } from "@/lib/cn";
import { ExactNumber, stringifyJson } from "@/lib/exact-json";
import { formatCount } from "@/lib/format";
import { type Focus, findPlaces, type Quote } from "@/results/model/evidence";
import { listColumns, type Row } from "@/results/model/inspect-result";
import { findLeafPlaces } from "@/results/model/leaf-places";
import { STRING_SHOWN_CHARS, TABLE_ROWS_SHOWN } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";
import { EvidenceStatus } from "./EvidenceStatus";
import { MarkedText } from "./MarkedText";
import { useShownMark } from "./use-shown-mark";

type TableViewProps = { rows: readonly Row[]; label?: string; quotes: readonly Quote[]; focus: Focus | null };

type Sorting = { column: string; isDown: boolean };

/** Table of a list of objects, one a row, with the quotes in its cells marked; a click on a column sorts by it. */
export function TableView({ rows, label = "Result as a table", quotes, focus }: TableViewProps) {
  const [limit, setLimit] = useState(TABLE_ROWS_SHOWN);
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const box = useRef<HTMLTableElement>(null);
  const columns = listColumns(rows);
  const asked = quotes.find(({ id }) => id === focus?.id);
  const places = useMemo(() => (asked ? findLeafPlaces(rows, asked) : []), [rows, asked]);
  const current = focus ? places[focus.turn % places.length] : undefined;
  const sorted = useMemo(() => sortRows(rows, sorting), [rows, sorting]);
  const [row, column] = current?.keys ?? [];
  const shown = Math.max(limit, sorted.findIndex(([index]) => String(index) === row) + 1);
  const sort = (column: string) =>
    setSorting(sorting?.column === column && sorting.isDown ? null : { column, isDown: sorting?.column === column });
  useShownMark(box, focus);
  return (
    <div>
      <EvidenceStatus marked={places.length} own={places.length} at={current && places.indexOf(current)} />
      <div role="group" tabIndex={0} aria-label={label} className="overflow-x-auto">
        <table ref={box} aria-label={label} className="w-full border-collapse text-xs">
          <thead className="bg-sunken">
            <tr>
              {columns.map((column) => (
                <th
                  key={column}
                  scope="col"
                  aria-sort={sorting?.column === column ? (sorting.isDown ? "descending" : "ascending") : undefined}
                  className="border-b p-0 text-left font-medium"
                >
                  <button
                    type="button"
                    className="flex w-full items-center gap-1 px-2 py-1"
                    onClick={() => sort(column)}
                  >
                    <bdi className="text-left wrap-anywhere">{column}</bdi>
                    <SortMark sorting={sorting?.column === column ? sorting : null} />
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, shown).map(([index, each]) => (
              <tr key={index} className="border-b">
                {columns.map((name) => (
                  <td
                    key={name}
                    dir="auto"
                    className={cn(
                      "max-w-80 min-w-16 px-2 py-1 align-top wrap-anywhere",
                      isNumber(each[name]) && "text-right",
                    )}
                  >
                    <Cell
                      value={each[name]}
                      quotes={quotes}
                      current={String(index) === row && name === column ? current?.from : undefined}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown < rows.length && (
        <p className="mt-2 flex items-center gap-2 text-xs text-muted">
          shown {formatCount(shown)} of {formatCount(rows.length)} rows
          <Button size="small" onClick={() => setLimit(shown * 10)}>
            Show more
          </Button>
        </p>
      )}
    </div>
  );
}

function SortMark({ sorting }: { sorting: Sorting | null }) {
  const Icon = sorting?.isDown ? ChevronDown : ChevronUp;
  return <Icon aria-hidden size={12} className={cn("shrink-0", !sorting && "invisible")} />;
}

const isNumber = (value: unknown) => typeof value === "number" || value instanceof ExactNumber;

/** Sort rows by the values of a column, numbers as numbers; rows without one stand last. */
function sortRows(rows: readonly Row[], sorting: Sorting | null): [number, Row][] {
  const numbered = rows.map((row, index): [number, Row] => [index, row]);
  if (!sorting) return numbered;
  const { column, isDown } = sorting;
  const has = ([, row]: [number, Row]) => row[column] !== undefined && row[column] !== null;
  const compare = ([, a]: [number, Row], [, b]: [number, Row]) =>
    isNumber(a[column]) && isNumber(b[column])
      ? Number(a[column]) - Number(b[column])
      : COLLATOR.compare(formatCell(a[column], STRING_SHOWN_CHARS), formatCell(b[column], STRING_SHOWN_CHARS));
  const own = numbered.filter(has).sort((a, b) => (isDown ? compare(b, a) : compare(a, b)));
  return [...own, ...numbered.filter((each) => !has(each))];
}

const COLLATOR = new Intl.Collator(undefined, { numeric: true });

type CellProps = { value: unknown; quotes: readonly Quote[]; current: number | undefined };

function Cell({ value, quotes, current }: CellProps) {
  const text = formatCell(value, current === undefined ? STRING_SHOWN_CHARS : Number.POSITIVE_INFINITY);
  return <MarkedText text={text} places={findPlaces(text, quotes)} current={current} />;
}

function formatCell(value: unknown, charsShown: number): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : stringifyJson(value);
  return text.length > charsShown ? `${text.slice(0, charsShown)}…` : text;
}
