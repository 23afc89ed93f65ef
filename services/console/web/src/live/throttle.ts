export type Throttle = (key: string, everyMs: number, run: () => void) => void;

/** Runs a thing of one key at most once in a while; what was asked for meanwhile runs at the end of it. */
export function createThrottle(): Throttle {
  const waiting = new Map<string, (() => void) | null>();
  const later: Throttle = (key, everyMs, run) => {
    if (waiting.has(key)) {
      waiting.set(key, run);
      return;
    }
    waiting.set(key, null);
    setTimeout(() => {
      const next = waiting.get(key);
      waiting.delete(key);
      if (next) later(key, everyMs, next);
    }, everyMs);
    run();
  };
  return later;
}
