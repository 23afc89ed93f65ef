import { useElementScrollRestoration } from "@tanstack/react-router";
import { useEffect, useState } from "react";

const main = () => document.getElementById("main");
/** What a reader does who scrolls, or is about to. */
const OWN = ["wheel", "pointerdown", "keydown", "touchstart"] as const;

/**
 * Bring the page back to where it was left, as far as it is there already, until the reader scrolls: the router does so once, when
 * the result may not be drawn yet. Returns whether the page was there before.
 */
export function useRestoredScroll(): boolean {
  const entry = useElementScrollRestoration({ getElement: main });
  const [wanted] = useState(entry?.scrollY ?? null);
  useEffect(() => {
    const box = main();
    const content = box?.firstElementChild;
    if (!box || !content || !wanted) return;
    const stop = () => {
      observer.disconnect();
      for (const kind of OWN) removeEventListener(kind, stop, true);
    };
    const observer = new ResizeObserver(() => {
      box.scrollTop = wanted;
      if (Math.abs(box.scrollTop - wanted) < 1) stop();
    });
    observer.observe(content);
    for (const kind of OWN) addEventListener(kind, stop, true);
    return stop;
  }, [wanted]);
  return wanted !== null;
}
