/** Jobs that were created since the list was read: they wait behind "12 new" instead of moving the rows. */
export const UNSEEN_MAX = 1_000;

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
    const room = UNSEEN_MAX - ids.size;
    if (more.length > 0 && room > 0) publish(new Set([...ids, ...more.slice(0, room)]));
  },
  clear: () => publish(new Set()),
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
