import { useEffect, useRef, useSyncExternalStore } from "react";

export type Command = { name: string; run: () => void };

let offered: readonly Command[] = [];
const listeners = new Set<() => void>();

function publish(next: readonly Command[]): void {
  offered = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What the page that is shown offers to the palette, by name; null stands for what cannot be done now. */
export function useOffer(runs: Record<string, (() => void) | null>): void {
  const latest = useRef(runs);
  useEffect(() => {
    latest.current = runs;
  });
  const names = Object.keys(runs)
    .filter((name) => runs[name])
    .join("\n");
  useEffect(() => {
    const mine = names.split("\n").filter(Boolean);
    publish(mine.map((name) => ({ name, run: () => latest.current[name]?.() })));
    return () => publish([]);
  }, [names]);
}

export function useOffered(): readonly Command[] {
  return useSyncExternalStore(subscribe, () => offered);
}
