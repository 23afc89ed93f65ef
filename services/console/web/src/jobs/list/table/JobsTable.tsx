import { useVirtualizer } from "@tanstack/react-virtual";
import { type FocusEvent, type RefObject, useEffect, useRef } from "react";
import type { Job } from "@/api/types";
import { COLUMNS, type ColumnId, type Sort } from "@/jobs/fields";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { explainMismatch } from "@/jobs/list/search/mismatch";
import { useNow } from "@/lib/clock";
import { sumMinWidths } from "./columns";
import { JobRow } from "./JobRow";
import { TableHead } from "./TableHead";

const ROW_PX = 40;
const CARD_PX = 72;
const HEAD_PX = 44;
const NEAR_END_ROWS = 20;
const MINUTE_MS = 60_000;
/** Columns in the head above cards, for selecting all and sorting. */
const CARD_COLUMNS = COLUMNS.filter(({ id }) => id === "title" || id === "updated");

type JobsTableProps = {
  jobs: Job[];
  search: JobsSearch;
  hidden: readonly ColumnId[];
  /** Whether each job is a card. */
  isNarrow: boolean;
  selected: ReadonlySet<string>;
  /** Id of the job whose row has the focus, or had it last. */
  current: string | null;
  onCurrent: (id: string) => void;
  /** Id of the job whose row is to be focused. */
  wanted: string | null;
  onFocused: (id: string) => void;
  /** Initial scroll offset in px. */
  top: number;
  onSelect: (ids: string[], on: boolean) => void;
  onChoose: (id: string, on: boolean, isRange: boolean) => void;
  onSort: (sort: Sort) => void;
  onNearEnd: () => void;
  box: RefObject<HTMLDivElement | null>;
};

/** Virtualized table of jobs; a row keeps its place whatever happens to its job. */
export function JobsTable(props: JobsTableProps) {
  const { jobs, search, hidden, isNarrow, selected, current, onCurrent, onSelect, onChoose, onNearEnd, box } = props;
  const virtual = useVirtualizer({
    count: jobs.length,
    estimateSize: () => (isNarrow ? CARD_PX : ROW_PX),
    getScrollElement: () => box.current,
    getItemKey: (index) => jobs[index]?.id ?? index,
    overscan: 12,
    useFlushSync: false,
    initialRect: { width: 1_000, height: 800 },
    initialOffset: props.top,
    scrollPaddingEnd: HEAD_PX,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= jobs.length - NEAR_END_ROWS) onNearEnd();
  }, [last, jobs.length, onNearEnd]);
  const shownFor = useRef(search);
  useEffect(() => {
    if (shownFor.current !== search) virtual.scrollToOffset(0); // another search begins at the top
    shownFor.current = search;
  }, [search, virtual]);
  useWantedFocus(props, (place) => virtual.scrollToIndex(place));
  const now = useNow(MINUTE_MS);
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const shown = COLUMNS.filter(({ id }) => !hidden.includes(id));
  const heads = isNarrow ? CARD_COLUMNS : shown;
  const onFocus = ({ target }: FocusEvent<HTMLElement>) => target.dataset.row && onCurrent(target.dataset.row);
  return (
    <table
      className="w-full table-fixed border-collapse"
      style={{ minWidth: isNarrow ? undefined : sumMinWidths(shown) }}
      aria-rowcount={jobs.length + 1}
      onFocus={onFocus}
    >
      <caption className="sr-only">Jobs</caption>
      <TableHead
        columns={heads}
        search={search}
        isEmpty={jobs.length === 0}
        isAll={jobs.length > 0 && jobs.every((job) => selected.has(job.id))}
        onAll={(on) =>
          onSelect(
            jobs.map((job) => job.id),
            on,
          )
        }
        onSort={props.onSort}
      />
      <tbody>
        {before > 0 && <Spacer height={before} span={heads.length + 1} />}
        {items.map(({ index }) => {
          const job = jobs[index];
          if (!job) return null;
          return (
            <JobRow
              key={job.id}
              job={job}
              index={index}
              columns={heads}
              isCard={isNarrow}
              mismatch={explainMismatch(job, search, now)}
              isCurrent={job.id === current}
              isSelected={selected.has(job.id)}
              onChoose={onChoose}
            />
          );
        })}
        {after > 0 && <Spacer height={after} span={heads.length + 1} />}
      </tbody>
    </table>
  );
}

type Focus = Pick<JobsTableProps, "jobs" | "wanted" | "onFocused" | "box">;

/** Focus the wanted row once it is drawn; it is scrolled into view to be drawn. */
function useWantedFocus({ jobs, wanted, onFocused, box }: Focus, scrollTo: (place: number) => void): void {
  const place = wanted === null ? -1 : jobs.findIndex((job) => job.id === wanted);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each row that is wanted
  useEffect(() => {
    if (place >= 0) scrollTo(place);
    else if (wanted !== null && jobs.length > 0) onFocused(wanted);
  }, [place, wanted, jobs.length > 0]);
  useEffect(() => {
    if (wanted === null) return;
    const links = [...(box.current?.querySelectorAll<HTMLElement>("a[data-row]") ?? [])];
    const link = links.find((each) => each.dataset.row === wanted);
    if (!link) return;
    link.focus({ preventScroll: true });
    onFocused(wanted);
  });
}

function Spacer({ height, span }: { height: number; span: number }) {
  return (
    <tr aria-hidden>
      <td colSpan={span} style={{ height, padding: 0 }} />
    </tr>
  );
}
