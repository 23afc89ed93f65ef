export type Throttle = (key: string, everyMs: number, run: () => void) => void;

/** Create a throttle by key: a call runs at once, the last of those that follow within the interval at its end. */
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
