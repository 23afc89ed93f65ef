import { useMemo, useRef, useState } from "react";
import { stringifyJson } from "@/lib/exact-json";
import { formatCount } from "@/lib/format";
import { type Focus, findPlaces, type Quote } from "@/results/model/evidence";
import { listColumns, type Row } from "@/results/model/inspect-result";
import { findLeafPlaces } from "@/results/model/leaf-places";
import { STRING_SHOWN_CHARS, TABLE_ROWS_SHOWN } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";
import { EvidenceStatus } from "./EvidenceStatus";
import { MarkedText } from "./MarkedText";
import { useShownMark } from "./use-shown-mark";

type TableViewProps = { rows: readonly Row[]; quotes: readonly Quote[]; focus: Focus | null };

/** Table of a list of objects, one a row, with the quotes in its cells marked. */
export function TableView({ rows, quotes, focus }: TableViewProps) {
  const [limit, setLimit] = useState(TABLE_ROWS_SHOWN);
  const box = useRef<HTMLTableElement>(null);
  const columns = listColumns(rows);
  const asked = quotes.find(({ id }) => id === focus?.id);
  const places = useMemo(() => (asked ? findLeafPlaces(rows, asked) : []), [rows, asked]);
  const current = focus ? places[focus.turn % places.length] : undefined;
  const [row, column] = current?.keys ?? [];
  const shown = Math.max(limit, row === undefined ? 0 : Number(row) + 1);
  useShownMark(box, focus);
  return (
    <div>
      <EvidenceStatus marked={places.length} own={places.length} at={current && places.indexOf(current)} />
      <table ref={box} aria-label="Result as a table" className="w-full border-collapse text-xs">
        <thead className="bg-sunken">
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col" className="border-b px-2 py-1 text-left font-medium">
                <bdi className="wrap-anywhere">{column}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, shown).map((each, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name, and never move
            <tr key={index} className="border-b">
              {columns.map((name) => (
                <td key={name} dir="auto" className="max-w-80 min-w-16 px-2 py-1 align-top wrap-anywhere">
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
