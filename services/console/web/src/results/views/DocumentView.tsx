import type { VirtualItem } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { type Focus, pickPlace, type Quote } from "@/results/model/evidence";
import type { Part } from "@/results/model/list-parts";
import { TextView } from "@/results/views/TextView";
import { useWorker } from "@/results/worker/use-worker";
import { Loading, Skeleton } from "@/ui/display/states";
import { DocumentTools } from "./DocumentTools";
import { DrawnEntry } from "./DrawnEntry";
import {
  countBefore,
  createFinder,
  type Entry,
  findInEntries,
  findsItself,
  listEntries,
  SEARCHED,
} from "./document-entries";
import { findPlacesIn } from "./rendered-ranges";
import { findScroller, usePageVirtualizer } from "./use-page-virtualizer";

const LINE_PX = 22;
const LINE_CHARS = 72;

type DocumentViewProps = { parts: readonly Part[]; quotes?: readonly Quote[]; focus?: Focus | null };
const NO_QUOTES: readonly Quote[] = [];

/** Result as it reads: its texts are parsed in the worker, and only what is seen of them is drawn. */
export function DocumentView({ parts, quotes = NO_QUOTES, focus = null }: DocumentViewProps) {
  const asked = useMemo(
    () => ({
      kind: "document" as const,
      texts: parts.flatMap((part) => (part.kind === "document" ? [part.source] : [])),
    }),
    [parts],
  );
  const { value: documents, problem } = useWorker(asked);
  const entries = useMemo(() => documents && listEntries(parts, documents), [parts, documents]);
  if (entries && documents) return <Entries entries={entries} documents={documents} quotes={quotes} focus={focus} />;
  if (problem) {
    const text = asked.texts.map((each) => each.text).join("\n\n");
    return (
      <>
        <p className="pb-2 text-muted">This is shown as text: it cannot be drawn ({problem.message}).</p>
        <TextView text={text} quotes={quotes} focus={focus} />
      </>
    );
  }
  return (
    <Loading what="the result">
      <Skeleton className="h-40" />
    </Loading>
  );
}

/** Heights of entries as they were when a document was left, so that the way back leads to the same place. */
const heights = new WeakMap<object, VirtualItem[]>();

type EntriesProps = { entries: readonly Entry[]; documents: object; quotes: readonly Quote[]; focus: Focus | null };

function Entries({ entries, documents, quotes, focus }: EntriesProps) {
  const [search, setSearch] = useState({ query: "", turn: 0 });
  const [seenFocus, setSeenFocus] = useState(focus);
  if (focus !== seenFocus) {
    setSeenFocus(focus);
    setSearch({ query: "", turn: 0 });
  }
  // What is looked for: what is typed, else the evidence in focus.
  const target = useMemo(
    () => (search.query.trim() === "" ? focus : { id: SEARCHED, turn: search.turn }),
    [search, focus],
  );
  const find = useMemo(() => createFinder(search.query, quotes, focus?.id), [search.query, quotes, focus?.id]);
  const places = useMemo(() => findInEntries(entries, find), [entries, find]);
  const own = places.filter(({ id }) => id === target?.id);
  const current = target ? pickPlace(places, target) : undefined;
  const sought = useMemo(
    () => (target?.id === SEARCHED ? [{ id: SEARCHED, text: search.query, isSearched: true }] : quotes),
    [target?.id, search.query, quotes],
  );
  const { listRef, virtual, items } = usePageVirtualizer({
    count: entries.length,
    estimateSize: (index) => estimateHeight(entries[index]),
    overscan: 6,
    measured: heights.get(documents),
  });
  useEffect(() => () => void heights.set(documents, virtual.takeSnapshot()), [documents, virtual]);
  const pending = useRef<Focus | null>(null);
  const scrolled = useRef<Focus | null>(null);
  const letGo = () => {
    pending.current = null;
  };
  const isFoundWithin = current !== undefined && findsItself(entries[current.entry]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each target
  useEffect(() => {
    pending.current = target?.isStill ? null : target;
    const isThere = isFoundWithin && items.some(({ index }) => index === current?.entry);
    if (current && pending.current && !isThere) virtual.scrollToIndex(current.entry, { align: "center" });
  }, [target, current?.entry]);
  useEffect(() => {
    const root = listRef.current;
    if (!root || places.length === 0) return;
    const drawn = findPlacesIn(root, find);
    const here = current && root.querySelector(`[data-index="${current.entry}"]`);
    const ranges = drawn.filter(({ id, range }) => id === current?.id && here?.contains(range.startContainer));
    const range = current && !isFoundWithin ? ranges[countBefore(own, current)]?.range : undefined;
    const place = range?.startContainer.parentElement;
    // As what is above gets its height, the place may move out of sight again, until the reader scrolls.
    if (place && pending.current === target && (scrolled.current !== target || !isInSight(place))) {
      scrolled.current = target;
      place.scrollIntoView?.({ block: "center" });
    }
    const names = globalThis.CSS?.highlights; // a browser without them shows the place all the same
    names?.set("evidence", new Highlight(...drawn.map((each) => each.range)));
    names?.set("evidence-current", new Highlight(...(range ? [range] : [])));
    return () => {
      names?.delete("evidence");
      names?.delete("evidence-current");
    };
  });
  return (
    <div>
      <DocumentTools
        entries={entries}
        search={search}
        onSearch={setSearch}
        found={own.length}
        at={current ? own.indexOf(current) : 0}
        isEvidence={target !== null && target.id !== SEARCHED}
        onGo={(entry) => {
          letGo();
          virtual.scrollToIndex(entry, { align: "start" });
        }}
      />
      <section
        aria-label="Result as it reads"
        onWheel={letGo}
        onPointerDown={letGo}
        onKeyDown={letGo}
        className="prose-result"
      >
        <div ref={listRef} className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map(({ key, index, start }) => {
            const entry = entries[index];
            return entry ? (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                className="absolute inset-x-0 top-0 flow-root"
                style={{ transform: `translateY(${start}px)` }}
              >
                <DrawnEntry
                  entry={entry}
                  quotes={sought}
                  focus={current?.entry === index ? target : null}
                  turn={current ? countBefore(own, current) : 0}
                />
              </div>
            ) : null;
          })}
        </div>
      </section>
    </div>
  );
}

function isInSight(place: Element): boolean {
  const [inner, outer] = [place.getBoundingClientRect(), findScroller(place)?.getBoundingClientRect()];
  return outer === undefined || (inner.top < outer.bottom && inner.bottom > outer.top);
}

function estimateHeight(entry: Entry | undefined): number {
  if (!entry) return LINE_PX;
  const lines = entry.text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / LINE_CHARS)), 0);
  return lines * LINE_PX + 12;
}
