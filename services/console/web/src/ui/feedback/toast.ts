import { observable } from "@/lib/observable";

type Toast = { id: number; title: string; detail?: string };
const toasts = observable<readonly Toast[]>([]);
let last = 0;

/** Say what was done where nothing else on the page shows it; said again, it stands there once. */
export function toast(title: string, detail?: string): void {
  last += 1;
  toasts.set([...toasts.get().filter((known) => known.title !== title), { id: last, title, detail }]);
}

export const shownToasts = {
  get: toasts.get,
  subscribe: toasts.subscribe,
  close: (id: number) => toasts.set(toasts.get().filter((known) => known.id !== id)),
};
