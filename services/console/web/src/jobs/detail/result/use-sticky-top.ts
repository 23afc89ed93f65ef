import { type RefObject, useEffect, useState } from "react";

const GAP_PX = 16;

/**
 * Return the `top` of a sticky element that stays in sight while what stands beside it scrolls: one that is higher than the window
 * goes on until its end is seen.
 */
export function useStickyTop(element: RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(GAP_PX);
  useEffect(() => {
    const box = document.getElementById("main");
    if (!element.current || !box) return;
    const place = () => setTop(Math.min(GAP_PX, box.clientHeight - (element.current?.offsetHeight ?? 0) - GAP_PX));
    const observer = new ResizeObserver(place);
    observer.observe(element.current);
    observer.observe(box);
    return () => observer.disconnect();
  }, [element]);
  return top;
}
