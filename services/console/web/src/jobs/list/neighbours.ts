import type { JobsSearch } from "./filters";

/** The list as it was last shown, so that a job's page can walk it and lead back to it. */
let order: readonly string[] = [];
let search: JobsSearch = {};

export function rememberList(ids: readonly string[], shown: JobsSearch): void {
  order = ids;
  search = shown;
}

export function lastSearch(): JobsSearch {
  return search;
}

export function useNeighbours(id: string): { before?: string; after?: string } {
  const place = order.indexOf(id);
  return place < 0 ? {} : { before: order[place - 1], after: order[place + 1] };
}
