import { useEffect, useMemo, useRef, useState } from "react";
import { formatCount, pluralize } from "@/lib/format";
import { type Focus, findPlaces, pickPlace, type Quote, splitAtPlaces } from "@/results/model/evidence";
import { TEXT_MAX_CHARS, TEXT_SHOWN_CHARS } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";

const NO_QUOTES: readonly Quote[] = [];

type TextViewProps = { text: string; quotes?: readonly Quote[]; focus?: Focus | null };

/** Plain text with its quotes marked; the place in focus is scrolled into view. */
export function TextView({ text, quotes = NO_QUOTES, focus = null }: TextViewProps) {
  const [isWhole, setWhole] = useState(false);
  const mark = useRef<HTMLElement>(null);
  const places = useMemo(() => {
    const all = findPlaces(text, quotes, focus?.id);
    return all.filter(({ to }) => to <= TEXT_MAX_CHARS); // nothing is shown beyond it
  }, [text, quotes, focus?.id]);
  const current = focus ? pickPlace(places, focus) : undefined;
  const shownChars = isWhole || (current?.to ?? 0) > TEXT_SHOWN_CHARS ? TEXT_MAX_CHARS : TEXT_SHOWN_CHARS;
  const shown = text.slice(0, shownChars);
  useEffect(() => {
    if (focus) mark.current?.scrollIntoView?.({ block: "center" });
  }, [focus]);
  const own = places.filter(({ id }) => id === focus?.id);
  return (
    <div>
      {places.length > 0 && (
        <p role="status" className="mb-2 text-xs text-muted">
          {current
            ? `place ${own.indexOf(current) + 1} of ${own.length}`
            : `evidence is marked in ${pluralize(places.length, "place")}`}
        </p>
      )}
      <pre
        dir="auto"
        tabIndex={0}
        className="max-h-[60vh] overflow-auto font-sans text-sm whitespace-pre-wrap wrap-anywhere"
      >
        {splitAtPlaces(shown, places).map(({ text: piece, from, id }) =>
          id === undefined ? (
            <span key={from}>{piece}</span>
          ) : (
            <mark
              key={from}
              ref={from === current?.from ? mark : undefined}
              aria-current={from === current?.from || undefined}
              className="aria-current:outline-2 aria-current:outline-accent"
            >
              {piece}
            </mark>
          ),
        )}
      </pre>
      {shown.length < text.length && (
        <p className="mt-2 flex items-center gap-2 text-xs text-muted">
          shown {formatCount(shown.length)} of {formatCount(text.length)} characters
          {shownChars < TEXT_MAX_CHARS ? (
            <Button size="small" onClick={() => setWhole(true)}>
              Show all
            </Button>
          ) : (
            "· the rest is in the download"
          )}
        </p>
      )}
    </div>
  );
}
