import { useEffect, useRef, useState } from "react";
import type { Job } from "@/api/types";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";

/** Position in the list when it was left: search, scroll offset in px, current row and selection. */
type ListPosition = { search: JobsSearch; top: number; current: string | null; selected: ReadonlySet<string> };

let order: readonly string[] = [];
const START = { top: 0, current: null, selected: new Set<string>() };
let position: ListPosition = { search: {}, ...START };
let openedJob: string | null = null;

export function forgetList(): void {
  order = [];
  position = { search: {}, ...START };
  openedJob = null;
}

/** Remember the order in which jobs are shown, so that a job's page can step to the next one. */
export function rememberOrder(ids: readonly string[]): void {
  order = ids;
}

/** Remember the position in a list; for another search, it begins anew. */
export function rememberList(search: JobsSearch, more: Partial<Omit<ListPosition, "search">> = {}): void {
  position = { ...(recallPosition(search) ?? START), ...more, search };
}

/** Recall the position in this list; undefined when another one was shown since. */
function recallPosition(search: JobsSearch): Omit<ListPosition, "search"> | undefined {
  return JSON.stringify(position.search) === JSON.stringify(search) ? position : undefined;
}

export function recallSearch(): JobsSearch {
  return position.search;
}

/** Remember that a job's page was opened: on the way back, its row is current and has the focus. */
export function rememberOpened(id: string): void {
  openedJob = id;
  if (order.includes(id)) position = { ...position, current: id };
}

function recallOpened(): string | null {
  return openedJob;
}

function forgetOpened(): void {
  openedJob = null;
}

export function findNeighbours(id: string): { before?: string; after?: string } {
  const place = order.indexOf(id);
  return place < 0 ? {} : { before: order[place - 1], after: order[place + 1] };
}

/** Current row of the list, restored as it was left, with the focus on the job that was opened. */
export function useCurrentRow(search: JobsSearch, jobs: readonly Job[]) {
  const [left] = useState(() => recallPosition(search));
  const [current, setCurrentShown] = useState(left?.current ?? null);
  const [wanted, setWanted] = useState(() => (left ? recallOpened() : null));
  const at = useRef(current); // a key that is held down acts before the state is drawn
  useEffect(forgetOpened, []);
  useEffect(() => rememberList(search, { current }), [search, current]);
  const setCurrent = (id: string) => {
    at.current = id;
    setCurrentShown(id);
  };
  const step = (by: number) => {
    const place = jobs.findIndex((job) => job.id === at.current) + by;
    const next = jobs[Math.max(0, Math.min(jobs.length - 1, place))];
    if (!next) return;
    setCurrent(next.id);
    setWanted(next.id);
  };
  /** Called when a row has the focus or cannot get it; another one may be wanted already. */
  const onFocused = (id: string) => setWanted((now) => (now === id ? null : now));
  return { left, current, setCurrent, step, wanted, onFocused };
}
