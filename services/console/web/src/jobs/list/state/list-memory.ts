import type { JobsSearch } from "@/jobs/list/filters/jobs-search";

/** How the list was left, so that it is found again: which jobs, how far down, at which row, what was selected. */
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

/** The order in which jobs were last shown, so that a job's page can walk the same list. */
export function rememberOrder(ids: readonly string[]): void {
  order = ids;
}

/** What is told of the same list is added; another list begins anew. */
export function rememberList(search: JobsSearch, more: Partial<Omit<ListPosition, "search">> = {}): void {
  position = { ...(recallPosition(search) ?? START), ...more, search };
}

/** How this list was left; undefined where another one was shown since. */
export function recallPosition(search: JobsSearch): Omit<ListPosition, "search"> | undefined {
  return JSON.stringify(position.search) === JSON.stringify(search) ? position : undefined;
}

export function recallSearch(): JobsSearch {
  return position.search;
}

/** A job's page was open: on the way back, its row is the current one, and has the focus. */
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
