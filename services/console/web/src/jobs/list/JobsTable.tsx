import { useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type RefObject, useEffect, useRef } from "react";
import type { Job } from "@/api/types";
import { useNow } from "@/lib/clock";
import { cn } from "@/lib/cn";
import { Checkbox } from "@/ui/field";
import { COLUMN_LOOK, type ColumnId, columns, features, ON_A_PHONE } from "./columns";
import { type JobsSearch, matches, type Sort } from "./filters";
import { JobCard } from "./JobCard";

const ROW_PX = 40;
const CARD_PX = 72;
const NEAR_END_ROWS = 20;
const MINUTE_MS = 60_000;

type JobsTableProps = {
  jobs: Job[];
  search: JobsSearch;
  hidden: readonly ColumnId[];
  /** A card a job. */
  isNarrow: boolean;
  selected: ReadonlySet<string>;
  current: string | null;
  onSelect: (ids: string[], on: boolean) => void;
  onSort: (sort: Sort) => void;
  onNearEnd: () => void;
  box: RefObject<HTMLDivElement | null>;
};

/** The rows that are in sight, in a real table; every row keeps its place whatever happens to its job. */
export function JobsTable(props: JobsTableProps) {
  const { jobs, search, hidden, isNarrow, selected, current, onSelect, onNearEnd, box } = props;
  const columnVisibility = Object.fromEntries(hidden.map((id) => [id, false]));
  const table = useTable({
    features,
    columns,
    data: jobs,
    getRowId: (job: Job) => job.id,
    state: { columnVisibility },
  });
  const virtual = useVirtualizer({
    count: jobs.length,
    estimateSize: () => (isNarrow ? CARD_PX : ROW_PX),
    getScrollElement: () => box.current,
    getItemKey: (index) => jobs[index]?.id ?? index,
    overscan: 12,
    useFlushSync: false,
    initialRect: { width: 1_000, height: 800 },
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= jobs.length - NEAR_END_ROWS) onNearEnd();
  }, [last, jobs.length, onNearEnd]);
  const place = current === null ? -1 : jobs.findIndex((job) => job.id === current);
  useEffect(() => {
    if (place >= 0) virtual.scrollToIndex(place);
  }, [place, virtual]);
  const rows = table.getRowModel().rows;
  const now = useNow(MINUTE_MS);
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const shown = table.getVisibleLeafColumns().map((column) => column.id as ColumnId);
  const ids = isNarrow ? ON_A_PHONE : shown;
  return (
    <table className="w-full table-fixed border-collapse sm:min-w-3xl" aria-rowcount={jobs.length + 1}>
      <caption className="sr-only">Jobs</caption>
      <Head ids={ids} {...props} />
      <tbody>
        {before > 0 && <Spacer height={before} span={ids.length + 1} />}
        {items.map(({ index }) => {
          const row = rows[index];
          if (!row) return null;
          const job = row.original;
          const isOut = !matches(job, search, now);
          return (
            <tr
              key={`${job.id}`}
              aria-rowindex={index + 2}
              aria-current={job.id === current || undefined}
              aria-selected={selected.has(job.id)}
              className={cn(
                isNarrow ? "h-18" : "h-10",
                "border-b hover:bg-sunken aria-current:bg-sunken aria-selected:bg-running-tint",
                isOut && "text-muted italic grayscale",
              )}
              title={isOut ? "It no longer matches the filter" : undefined}
            >
              <td className="w-10 px-3">
                <Checkbox
                  data-row={job.id}
                  aria-label={`Select ${job.title}`}
                  checked={selected.has(job.id)}
                  onChange={(event) => onSelect([job.id], event.target.checked)}
                />
              </td>
              {isNarrow ? (
                <td colSpan={ids.length} className="px-2">
                  <Flash version={job.version}>
                    <JobCard job={job} />
                  </Flash>
                </td>
              ) : (
                row.getVisibleCells().map((cell) => (
                  <td key={cell.id} className="truncate px-2">
                    <Flash version={cell.column.id === "status" ? job.version : 0}>
                      <table.FlexRender cell={cell} />
                    </Flash>
                  </td>
                ))
              )}
            </tr>
          );
        })}
        {after > 0 && <Spacer height={after} span={ids.length + 1} />}
      </tbody>
    </table>
  );
}

/** A tint that goes away, where something has changed since the row was drawn. */
function Flash({ version, children }: { version: number; children: React.ReactNode }) {
  const first = useRef(version);
  return (
    <span key={version} className={cn("block truncate", version !== first.current && "changed-row")}>
      {children}
    </span>
  );
}

function Spacer({ height, span }: { height: number; span: number }) {
  return (
    <tr aria-hidden>
      <td colSpan={span} style={{ height, padding: 0 }} />
    </tr>
  );
}

function Head({ ids, jobs, search, selected, onSelect, onSort }: JobsTableProps & { ids: ColumnId[] }) {
  const isAll = jobs.length > 0 && jobs.every((job) => selected.has(job.id));
  return (
    <thead className="sticky top-0 z-10 bg-surface">
      <tr className="h-8 border-b text-left" aria-rowindex={1}>
        <th scope="col" className="w-10 px-3">
          <Checkbox
            aria-label="Select all that are shown"
            checked={isAll}
            onChange={(event) =>
              onSelect(
                jobs.map((job) => job.id),
                event.target.checked,
              )
            }
          />
        </th>
        {ids.map((id) => {
          const { name, width, sort } = COLUMN_LOOK[id];
          const isSorted = sort !== undefined && (search.sort ?? "created") === sort;
          const Arrow = search.ascending ? ArrowUp : ArrowDown;
          return (
            <th
              key={id}
              scope="col"
              aria-sort={isSorted ? (search.ascending ? "ascending" : "descending") : undefined}
              className={cn("px-2 font-medium text-muted", width)}
            >
              {sort ? (
                <button
                  type="button"
                  onClick={() => onSort(sort)}
                  className="inline-flex min-h-6 items-center gap-1 hover:text-text"
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
