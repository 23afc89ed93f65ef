/** Jobs that were created since the list was read: they wait behind "12 new" instead of moving the rows. */
let ids: ReadonlySet<string> = new Set();
const listeners = new Set<() => void>();

function publish(next: ReadonlySet<string>): void {
  if (next.size === 0 && ids.size === 0) return;
  ids = next;
  for (const listener of listeners) listener();
}

export const unseen = {
  get: () => ids,
  add: (more: string[]) => {
    if (more.length > 0) publish(new Set([...ids, ...more]));
  },
  clear: () => publish(new Set()),
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
