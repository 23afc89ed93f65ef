import { replaceEqualDeep } from "@tanstack/react-query";

type Versioned = { version: number };
type Identified = Versioned & { id: string };

function isVersioned(value: unknown): value is Versioned {
  return typeof value === "object" && value !== null && typeof (value as Versioned).version === "number";
}

const isIdentified = (value: unknown): value is Identified =>
  isVersioned(value) && typeof (value as Partial<Identified>).id === "string";

const itemsOf = (value: unknown): unknown[] | undefined => {
  const items = (value as { items?: unknown } | null | undefined)?.items;
  return Array.isArray(items) ? items : undefined;
};

/**
 * Merge fetched data into the cache such that a row never goes back to an older version. A GET that began
 * before an event and ends after it thus cannot undo the event.
 */
export function mergeByVersion(before: unknown, after: unknown): unknown {
  return replaceEqualDeep(before, keepNewer(before, after));
}

function keepNewer(before: unknown, after: unknown): unknown {
  if (before === undefined || before === after) return after;
  if (isIdentified(before) && isIdentified(after)) {
    return before.id === after.id && before.version > after.version ? before : after;
  }
  if (isInfinite(before) && isInfinite(after)) {
    const known = rowsById(before.pages.flatMap((page) => itemsOf(page) ?? []));
    return { ...after, pages: after.pages.map((page) => keepNewerRows(known, page)) };
  }
  const items = itemsOf(before);
  const fresh = itemsOf(after);
  if (!items || !fresh) return after;
  if (items.every(isLog) && fresh.every(isLog)) return { ...(after as object), items: keepKnownLogs(items, fresh) };
  return keepNewerRows(rowsById(items), after);
}

type Log = Versioned & { job_id: string };

const isLog = (value: unknown): value is Log =>
  isVersioned(value) && typeof (value as Partial<Log>).job_id === "string";

/** Keep log entries that an event brought until a response has them too. */
function keepKnownLogs(before: Log[], after: Log[]): Log[] {
  const last = after.at(-1)?.version ?? 0;
  return [...after, ...before.filter((log) => log.version > last)];
}

function isInfinite(value: unknown): value is { pages: unknown[]; pageParams: unknown[] } {
  return Array.isArray((value as { pages?: unknown } | null)?.pages);
}

function rowsById(items: unknown[]): Map<string, Identified> {
  return new Map(items.filter(isIdentified).map((item) => [item.id, item]));
}

function keepNewerRows(known: Map<string, Identified>, page: unknown): unknown {
  const items = itemsOf(page);
  if (!items) return page;
  const merged = items.map((item) => (isIdentified(item) ? newest(known.get(item.id), item) : item));
  return { ...(page as object), items: merged };
}

function newest(before: Identified | undefined, after: Identified): Identified {
  return before && before.version > after.version ? before : after;
}
