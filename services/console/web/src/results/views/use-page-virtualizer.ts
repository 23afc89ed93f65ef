import { useVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";

/** Room that is kept free above what is scrolled to: the tools of a document stay there. */
const TOOLS_PX = 48;
const INITIAL = { width: 600, height: 600 };

type PageVirtualizerOptions = {
  count: number;
  estimateSize: (index: number) => number;
  getItemKey?: (index: number) => string | number;
  overscan: number;
  /** Heights that were measured when this was shown before. */
  measured?: VirtualItem[];
};

/**
 * Draw of a long list only what is seen, where the page around it scrolls and the list does not. `listRef` is of the element that holds
 * the items, whose `start` counts from its top.
 */
export function usePageVirtualizer({ measured, ...options }: PageVirtualizerOptions) {
  const listRef = useRef<HTMLDivElement>(null);
  const [scrollMargin, setScrollMargin] = useState(0);
  const measure = () => {
    const scroller = findScroller(listRef.current);
    if (!listRef.current || !scroller) return;
    const top = listRef.current.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
    setScrollMargin(Math.round(top));
  };
  useLayoutEffect(measure);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the observer stays, and measures as all did at first
  useEffect(() => {
    const content = findScroller(listRef.current)?.firstElementChild;
    const observer = new ResizeObserver(measure); // what stands above has become higher, or lower
    if (content) observer.observe(content);
    return () => observer.disconnect();
  }, []);
  const virtual = useVirtualizer({
    ...options,
    getScrollElement: () => findScroller(listRef.current),
    scrollMargin,
    scrollPaddingStart: TOOLS_PX,
    useFlushSync: false,
    initialRect: INITIAL,
    initialMeasurementsCache: measured,
  });
  return {
    listRef,
    virtual,
    items: virtual.getVirtualItems().map((item) => ({ ...item, start: item.start - virtual.options.scrollMargin })),
  };
}

/** Find the element that scrolls what is in it: the page's, or a dialog's. */
export function findScroller(element: Element | null): Element | null {
  if (!element) return null;
  for (let box = element.parentElement; box; box = box.parentElement) {
    const { overflowY } = getComputedStyle(box);
    if (overflowY === "auto" || overflowY === "scroll") return box;
  }
  return document.scrollingElement ?? document.documentElement;
}
