import type { JobsSearch } from "@/jobs/list/filters/jobs-search";

/** How the list was left, so that it is found again: which jobs, how far down, at which row, what was selected. */
type Left = { search: JobsSearch; top: number; current: string | null; selected: ReadonlySet<string> };

let order: readonly string[] = [];
const ANEW = { top: 0, current: null, selected: new Set<string>() };
let left: Left = { search: {}, ...ANEW };
let opened: string | null = null;

export function forgetList(): void {
  order = [];
  left = { search: {}, ...ANEW };
  opened = null;
}

/** The order in which jobs were last shown, so that a job's page can walk the same list. */
export function rememberOrder(ids: readonly string[]): void {
  order = ids;
}

/** What is told of the same list is added; another list begins anew. */
export function rememberList(search: JobsSearch, more: Partial<Omit<Left, "search">> = {}): void {
  left = { ...(recall(search) ?? ANEW), ...more, search };
}

/** How this list was left; undefined where another one was shown since. */
export function recall(search: JobsSearch): Omit<Left, "search"> | undefined {
  return JSON.stringify(left.search) === JSON.stringify(search) ? left : undefined;
}

export function lastSearch(): JobsSearch {
  return left.search;
}

/** A job's page was open: on the way back, its row is the current one, and has the focus. */
export function rememberOpened(id: string): void {
  opened = id;
  if (order.includes(id)) left = { ...left, current: id };
}

export function openedLast(): string | null {
  return opened;
}

export function forgetOpened(): void {
  opened = null;
}

export function useNeighbours(id: string): { before?: string; after?: string } {
  const place = order.indexOf(id);
  return place < 0 ? {} : { before: order[place - 1], after: order[place + 1] };
}
