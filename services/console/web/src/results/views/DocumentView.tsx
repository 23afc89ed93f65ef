import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { type Focus, pickPlace, type Quote } from "@/results/model/evidence";
import type { Part } from "@/results/model/list-parts";
import { TextView } from "@/results/views/TextView";
import { useWorker } from "@/results/worker/use-worker";
import { Loading, Skeleton } from "@/ui/display/states";
import { DocumentTools } from "./DocumentTools";
import { DrawnEntry } from "./DrawnEntry";
import { countBefore, createFinder, type Entry, findInEntries, listEntries, SEARCHED } from "./document-entries";
import { findPlacesIn } from "./rendered-ranges";

const HEIGHT_MAX_PX = 600;
const LINE_PX = 22;
const LINE_CHARS = 72;

type DocumentViewProps = { parts: readonly Part[]; quotes?: readonly Quote[]; focus?: Focus | null };
const NO_QUOTES: readonly Quote[] = [];

/** Result as it reads: its texts are parsed in the worker, and only what is seen of them is drawn. */
export default function DocumentView({ parts, quotes = NO_QUOTES, focus = null }: DocumentViewProps) {
  const asked = useMemo(
    () => ({
      kind: "document" as const,
      texts: parts.flatMap((part) => (part.kind === "document" ? [part.source] : [])),
    }),
    [parts],
  );
  const { value: documents, problem } = useWorker(asked);
  const entries = useMemo(() => documents && listEntries(parts, documents), [parts, documents]);
  if (entries) return <Entries entries={entries} quotes={quotes} focus={focus} />;
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

type EntriesProps = { entries: readonly Entry[]; quotes: readonly Quote[]; focus: Focus | null };

function Entries({ entries, quotes, focus }: EntriesProps) {
  const box = useRef<HTMLElement>(null);
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
  const virtual = useVirtualizer({
    count: entries.length,
    estimateSize: (index) => estimateHeight(entries[index]),
    getScrollElement: () => box.current,
    overscan: 6,
    useFlushSync: false,
    initialRect: { width: 600, height: HEIGHT_MAX_PX },
  });
  const shown = virtual.getVirtualItems();
  const pending = useRef<Focus | null>(null);
  const scrolled = useRef<Focus | null>(null);
  const letGo = () => {
    pending.current = null;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each target
  useEffect(() => {
    pending.current = target;
    if (current) virtual.scrollToIndex(current.entry, { align: "center" });
  }, [target, current?.entry]);
  useEffect(() => {
    const root = box.current;
    if (!root || places.length === 0) return;
    const drawn = findPlacesIn(root, find);
    const here = current && root.querySelector(`[data-index="${current.entry}"]`);
    const ranges = drawn.filter(({ id, range }) => id === current?.id && here?.contains(range.startContainer));
    const range = current && ranges[countBefore(own, current)]?.range;
    const place = range?.startContainer.parentElement;
    // As what is above gets its height, the place may move out of sight again, until the reader scrolls.
    if (place && pending.current === target && (scrolled.current !== target || !isWithin(place, root))) {
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
    <div className="flex flex-col lg:h-full">
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
        ref={box}
        aria-label="Result as it reads"
        tabIndex={0}
        onWheel={letGo}
        onPointerDown={letGo}
        onKeyDown={letGo}
        className="prose-result min-h-0 overflow-auto -outline-offset-2 max-lg:max-h-[60dvh] lg:grow"
      >
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {shown.map(({ key, index, start }) => {
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
                  quotes={quotes}
                  focus={current?.entry === index && target === focus ? focus : null}
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

function isWithin(place: Element, box: Element): boolean {
  const [inner, outer] = [place.getBoundingClientRect(), box.getBoundingClientRect()];
  return inner.top < outer.bottom && inner.bottom > outer.top;
}

function estimateHeight(entry: Entry | undefined): number {
  if (!entry) return LINE_PX;
  const lines = entry.text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / LINE_CHARS)), 0);
  return lines * LINE_PX + 12;
}
