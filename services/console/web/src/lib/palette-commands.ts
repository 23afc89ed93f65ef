import { useEffect, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import { createObservable } from "./observable";

export type Command = { name: string; run: () => void };

const offered = createObservable<readonly Command[]>([]);

/** Offer commands of the current page to the palette, by name; null for one that is refused now. */
export function useOfferCommands(runs: Record<string, (() => void) | null>): void {
  const latest = useRef(runs);
  useLayoutEffect(() => {
    latest.current = runs;
  });
  const names = Object.keys(runs)
    .filter((name) => runs[name])
    .join("\n");
  useEffect(() => {
    const mine = names.split("\n").filter(Boolean);
    offered.set(mine.map((name) => ({ name, run: () => latest.current[name]?.() })));
    return () => offered.set([]);
  }, [names]);
}

export function useOfferedCommands(): readonly Command[] {
  return useSyncExternalStore(offered.subscribe, offered.get);
}
