import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { cn } from "@/lib/cn";
import type { Focus, Quote } from "@/results/model/evidence";
import { findLeafPlaces } from "@/results/model/leaf-places";
import { EvidenceStatus } from "./EvidenceStatus";
import { JsonTreeLine } from "./JsonTreeLine";
import { INITIAL_TREE, listLines, openPath, pathOf, showMore, toggleNode, toggleString } from "./json-tree-lines";
import { useShownMark } from "./use-shown-mark";

const ROW_PX = 22;
const HEIGHT_MAX_PX = 480;
/** Deeper lines are indented no further: on a phone, nothing would be left of their width. */
const DEPTH_SHOWN = 12;
const NO_QUOTES: readonly Quote[] = [];

type JsonTreeProps = {
  value: unknown;
  label?: string;
  quotes?: readonly Quote[];
  focus?: Focus | null;
  /** Whether it fills the element around it. */
  isFilling?: boolean;
};

/** JSON value as a tree, of which only visible lines are drawn. Strings wrap, with the quotes in them marked. */
export function JsonTree({ value, label = "JSON", quotes = NO_QUOTES, focus = null, isFilling }: JsonTreeProps) {
  const [state, setState] = useState(INITIAL_TREE);
  const asked = quotes.find(({ id }) => id === focus?.id);
  const places = useMemo(() => (asked ? findLeafPlaces(value, asked) : []), [value, asked]);
  const current = focus ? places[focus.turn % places.length] : undefined;
  const [opened, setOpened] = useState<Focus | null>(null);
  if (focus !== opened) {
    setOpened(focus);
    if (current) setState(openPath(state, value, current.keys));
  }
  const lines = useMemo(() => listLines(value, state), [value, state]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    estimateSize: () => ROW_PX,
    getScrollElement: () => box.current,
    getItemKey: (index) => `${lines[index]?.path}${lines[index]?.more ? "+" : ""}`,
    overscan: 20,
    useFlushSync: false,
    initialRect: { width: 600, height: HEIGHT_MAX_PX },
  });
  const path = current && pathOf(current.keys);
  const at = path === undefined ? -1 : lines.findIndex((line) => line.path === path && !line.more);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each focus
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "center" });
  }, [focus, at]);
  useShownMark(box, focus);
  return (
    <div className={cn("flex flex-col", isFilling && "lg:h-full")}>
      <EvidenceStatus marked={places.length} own={places.length} at={current && places.indexOf(current)} />
      <section
        ref={box}
        aria-label={label}
        tabIndex={0}
        className={cn("max-h-[480px] overflow-auto font-mono text-xs", isFilling && "lg:max-h-none lg:min-h-0 lg:grow")}
      >
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ key, index, start }) => {
            const node = lines[index];
            return node ? (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                className="absolute inset-x-0 top-0 flex min-h-[22px] items-start py-0.5"
                style={{ transform: `translateY(${start}px)`, paddingLeft: Math.min(node.depth, DEPTH_SHOWN) * 16 }}
              >
                <JsonTreeLine
                  node={node}
                  quotes={quotes}
                  asked={focus?.id}
                  current={node.path === path ? current?.from : undefined}
                  isOpen={state.opened.has(node.path)}
                  onToggle={() => setState(toggleNode(state, node))}
                  onToggleString={() => setState(toggleString(state, node.path))}
                  onMore={() => setState(showMore(state, node.path))}
                />
              </div>
            ) : null;
          })}
        </div>
      </section>
    </div>
  );
}
