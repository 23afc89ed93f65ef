import { reachable } from "@/lib/load-part";
import { createObservable } from "@/lib/observable";

/** State of the live connection; never shown as better than it is. */
export type LiveStatus =
  | { state: "connecting" }
  | { state: "live" }
  /** The console answers, the jobstore does not. */
  | { state: "jobstore-away" }
  /** The jobstore answers, and cannot write to its database: what is wrong, and the remedy. */
  | { state: "database-away"; problem: string; remedy: string }
  | { state: "reconnecting"; retryAt: number; since: number }
  | { state: "paused" };

export type LiveView = LiveStatus & { lastEventAt: number | null };

const INITIAL: LiveView = { state: "connecting", lastEventAt: null };
const view = createObservable<LiveView>(INITIAL);

export const liveStatus = {
  get: view.get,
  subscribe: view.subscribe,
  set: (status: LiveStatus): void => {
    reachable.set(status.state !== "reconnecting");
    view.set({ ...status, lastEventAt: view.get().lastEventAt });
  },
  recordEvent: (at: number): void => view.set({ ...view.get(), lastEventAt: at }),
  reset: (): void => view.set(INITIAL),
};
