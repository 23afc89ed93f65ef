/** How the page hears of changes: shown as it is, never better. */
export type LiveStatus =
  | { state: "connecting" }
  | { state: "live" }
  /** The console answers, the jobstore behind it does not. */
  | { state: "behind" }
  | { state: "reconnecting"; retryAt: number; since: number }
  | { state: "paused" };

export type LiveView = LiveStatus & { lastEventAt: number | null };

let view: LiveView = { state: "connecting", lastEventAt: null };
const listeners = new Set<() => void>();

function publish(next: LiveView): void {
  view = next;
  for (const listener of listeners) listener();
}

export const liveStatus = {
  get: (): LiveView => view,
  set: (status: LiveStatus): void => publish({ ...status, lastEventAt: view.lastEventAt }),
  heard: (at: number): void => publish({ ...view, lastEventAt: at }),
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  reset: (): void => publish({ state: "connecting", lastEventAt: null }),
};
