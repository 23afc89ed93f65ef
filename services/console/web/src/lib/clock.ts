import { useSyncExternalStore } from "react";

/** One tick a second for the whole page, only while a component uses it. Times are the server's. */
let skewMs = 0;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

/** Learn from a response's Date header how far this machine's clock is off; less than 2 s is ignored. */
export function learnSkew(serverDate: string | null, receivedAt = Date.now()): void {
  const server = serverDate === null ? Number.NaN : Date.parse(serverDate);
  if (!Number.isNaN(server)) skewMs = Math.abs(server - receivedAt) < 2_000 ? 0 : server - receivedAt;
}

function serverNow(): number {
  return Date.now() + skewMs;
}

function tick(): void {
  now = serverNow();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = serverNow();
    timer = setInterval(tick, 1_000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Return the time in milliseconds, cut to a precision, so that nothing is drawn again needlessly. */
export function useNow(precisionMs = 1_000): number {
  return useSyncExternalStore(subscribe, () => Math.floor(now / precisionMs) * precisionMs);
}
