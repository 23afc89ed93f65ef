type Toast = { id: number; title: string; detail?: string };
let toasts: readonly Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function publish(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

/** Say what was done where nothing else on the page shows it; said again, it stands there once. */
export function toast(title: string, detail?: string): void {
  last += 1;
  publish([...toasts.filter((known) => known.title !== title), { id: last, title, detail }]);
}

export const shownToasts = {
  get: () => toasts,
  close: (id: number) => publish(toasts.filter((known) => known.id !== id)),
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
