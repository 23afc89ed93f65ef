import { useEffect, useMemo, useState } from "react";
import type { Focus, Quote } from "@/results/model/evidence";
import { findLeafPlaces } from "@/results/model/leaf-places";
import { EvidenceStatus } from "./EvidenceStatus";
import { JsonTreeLine } from "./JsonTreeLine";
import { INITIAL_TREE, listLines, openPath, pathOf, showMore, toggleNode, toggleString } from "./json-tree-lines";
import { usePageVirtualizer } from "./use-page-virtualizer";
import { useShownMark } from "./use-shown-mark";

const ROW_PX = 22;
/** Deeper lines are indented no further: on a phone, nothing would be left of their width. */
const DEPTH_SHOWN = 12;
const NO_QUOTES: readonly Quote[] = [];

type JsonTreeProps = {
  value: unknown;
  label?: string;
  quotes?: readonly Quote[];
  focus?: Focus | null;
};

/** JSON value as a tree, of which only visible lines are drawn. Strings wrap, with the quotes in them marked. */
export function JsonTree({ value, label = "JSON", quotes = NO_QUOTES, focus = null }: JsonTreeProps) {
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
  const { listRef, virtual, items } = usePageVirtualizer({
    count: lines.length,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => `${lines[index]?.path}${lines[index]?.more ? "+" : ""}`,
    overscan: 20,
  });
  const path = current && pathOf(current.keys);
  const at = path === undefined ? -1 : lines.findIndex((line) => line.path === path && !line.more);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each focus
  useEffect(() => {
    if (at >= 0 && !focus?.isStill) virtual.scrollToIndex(at, { align: "center" });
  }, [focus, at]);
  useShownMark(listRef, focus);
  return (
    <div>
      <EvidenceStatus marked={places.length} own={places.length} at={current && places.indexOf(current)} />
      <section aria-label={label} className="font-mono text-xs">
        <div ref={listRef} className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map(({ key, index, start }) => {
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
