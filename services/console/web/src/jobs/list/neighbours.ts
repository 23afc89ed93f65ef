/** The order in which jobs were last shown, so that a job's page can walk the same list. */
let order: readonly string[] = [];

export function rememberOrder(ids: readonly string[]): void {
  order = ids;
}

export function useNeighbours(id: string): { before?: string; after?: string } {
  const place = order.indexOf(id);
  return place < 0 ? {} : { before: order[place - 1], after: order[place + 1] };
}
