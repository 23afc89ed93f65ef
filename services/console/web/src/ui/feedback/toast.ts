import { createObservable } from "@/lib/observable";

type Toast = { id: number; title: string; detail?: string };
const toasts = createObservable<readonly Toast[]>([]);
let lastId = 0;

/** Show a toast: what was done, where nothing else on the page shows it. The same title is shown once. */
export function toast(title: string, detail?: string): void {
  lastId += 1;
  toasts.set([...toasts.get().filter((known) => known.title !== title), { id: lastId, title, detail }]);
}

export const shownToasts = {
  get: toasts.get,
  subscribe: toasts.subscribe,
  close: (id: number) => toasts.set(toasts.get().filter((known) => known.id !== id)),
};
