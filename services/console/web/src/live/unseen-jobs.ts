import { createObservable } from "@/lib/observable";

/**
 * Ids of jobs created since the list was read: they wait behind "12 new jobs" instead of moving rows. At most so many.
 */
export const UNSEEN_MAX = 1_000;

const ids = createObservable<ReadonlySet<string>>(new Set());

export const unseenJobs = {
  get: ids.get,
  subscribe: ids.subscribe,
  add: (more: string[]) => {
    const room = UNSEEN_MAX - ids.get().size;
    if (more.length > 0 && room > 0) ids.set(new Set([...ids.get(), ...more.slice(0, room)]));
  },
  clear: () => {
    if (ids.get().size > 0) ids.set(new Set());
  },
};
