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
export function recallPosition(search: JobsSearch): Omit<ListPosition, "search"> | undefined {
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

export function recallOpened(): string | null {
  return openedJob;
}

export function forgetOpened(): void {
  openedJob = null;
}

export function findNeighbours(id: string): { before?: string; after?: string } {
  const place = order.indexOf(id);
  return place < 0 ? {} : { before: order[place - 1], after: order[place + 1] };
}
