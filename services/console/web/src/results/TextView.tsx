import { useEffect, useMemo, useRef, useState } from "react";
import { count } from "@/lib/format";
import { Button } from "@/ui/button";
import { piecesOf, placesOf, type Quote } from "./evidence";
import { TEXT_MAX_CHARS, TEXT_SHOWN_CHARS } from "./limits";

const NO_QUOTES: readonly Quote[] = [];

type TextViewProps = { text: string; quotes?: readonly Quote[]; focused?: string | null };

/** A text as it is; quoted words are marked, and the one that is asked for is brought into sight. */
export function TextView({ text, quotes = NO_QUOTES, focused = null }: TextViewProps) {
  const [isWhole, setWhole] = useState(false);
  const mark = useRef<HTMLElement>(null);
  const places = useMemo(() => placesOf(text, quotes, focused), [text, quotes, focused]);
  const needed = places.find((place) => place.id === focused)?.to ?? 0;
  const shownChars = isWhole || needed > TEXT_SHOWN_CHARS ? TEXT_MAX_CHARS : TEXT_SHOWN_CHARS;
  const shown = text.slice(0, shownChars);
  useEffect(() => {
    if (focused !== null) mark.current?.scrollIntoView?.({ block: "center" });
  }, [focused]);
  return (
    <div>
      <pre tabIndex={0} className="max-h-[60vh] overflow-auto font-sans text-sm whitespace-pre-wrap break-words">
        {piecesOf(shown, places).map(({ text: piece, from, id }) =>
          id === undefined ? (
            <span key={from}>{piece}</span>
          ) : (
            <mark
              key={from}
              ref={id === focused ? mark : undefined}
              aria-current={id === focused || undefined}
              className="aria-current:outline-2 aria-current:outline-accent"
            >
              {piece}
            </mark>
          ),
        )}
      </pre>
      {shown.length < text.length && (
        <p className="mt-2 flex items-center gap-2 text-xs text-muted">
          shown {count(shown.length)} of {count(text.length)} characters
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
