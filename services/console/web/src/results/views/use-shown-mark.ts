import { type RefObject, useEffect, useRef } from "react";
import type { Focus } from "@/results/model/evidence";

/** Scroll the mark of the place in focus into view, once it is drawn. */
export function useShownMark(box: RefObject<HTMLElement | null>, focus: Focus | null): void {
  const pending = useRef<Focus | null>(null);
  useEffect(() => {
    pending.current = focus?.isStill ? null : focus;
  }, [focus]);
  useEffect(() => {
    const mark = pending.current && box.current?.querySelector("mark[aria-current]");
    if (!mark) return;
    pending.current = null;
    mark.scrollIntoView?.({ block: "center" });
  });
}
