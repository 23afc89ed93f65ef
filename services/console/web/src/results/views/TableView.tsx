import { useState } from "react";
import { stringifyJson } from "@/lib/exact-json";
import { formatCount } from "@/lib/format";
import { listColumns, type Row } from "@/results/model/inspect-result";
import { STRING_SHOWN_CHARS, TABLE_ROWS_SHOWN } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";

/** Table of a list of objects, one a row. */
export function TableView({ rows }: { rows: readonly Row[] }) {
  const [shown, setShown] = useState(TABLE_ROWS_SHOWN);
  const columns = listColumns(rows);
  return (
    <div>
      <section className="max-h-[60vh] overflow-auto" tabIndex={0} aria-label="Result as a table">
        <table className="w-full border-collapse text-xs">
          <thead className="sticky top-0 bg-sunken">
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col" className="border-b px-2 py-1 text-left font-medium">
                  <bdi className="wrap-anywhere">{column}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name, and never move
              <tr key={index} className="border-b">
                {columns.map((column) => (
                  <td key={column} dir="auto" className="max-w-80 min-w-16 px-2 py-1 align-top wrap-anywhere">
                    {formatCell(row[column])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {shown < rows.length && (
        <p className="mt-2 flex items-center gap-2 text-xs text-muted">
          shown {formatCount(shown)} of {formatCount(rows.length)} rows
          <Button size="small" onClick={() => setShown(shown * 10)}>
            Show more
          </Button>
        </p>
      )}
    </div>
  );
}

function formatCell(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : stringifyJson(value);
  return text.length > STRING_SHOWN_CHARS ? `${text.slice(0, STRING_SHOWN_CHARS)}…` : text;
}
