import { useMemo, useRef, useState } from "react";
import { formatCount } from "@/lib/format";
import { type Focus, findPlaces, pickPlace, type Quote } from "@/results/model/evidence";
import { TEXT_MAX_CHARS, TEXT_SHOWN_CHARS } from "@/results/model/limits";
import { Button } from "@/ui/controls/button";
import { EvidenceStatus } from "./EvidenceStatus";
import { MarkedText } from "./MarkedText";
import { useShownMark } from "./use-shown-mark";

const NO_QUOTES: readonly Quote[] = [];

type TextViewProps = { text: string; quotes?: readonly Quote[]; focus?: Focus | null };

/** Plain text with its quotes marked; the place in focus is scrolled into view. */
export function TextView({ text, quotes = NO_QUOTES, focus = null }: TextViewProps) {
  const [isWhole, setWhole] = useState(false);
  const box = useRef<HTMLPreElement>(null);
  const places = useMemo(() => {
    const all = findPlaces(text, quotes, focus?.id);
    return all.filter(({ to }) => to <= TEXT_MAX_CHARS); // nothing is shown beyond it
  }, [text, quotes, focus?.id]);
  const current = focus ? pickPlace(places, focus) : undefined;
  const shownChars = isWhole || (current?.to ?? 0) > TEXT_SHOWN_CHARS ? TEXT_MAX_CHARS : TEXT_SHOWN_CHARS;
  const shown = text.slice(0, shownChars);
  useShownMark(box, focus);
  const own = places.filter(({ id }) => id === focus?.id);
  return (
    <div>
      <EvidenceStatus marked={places.length} own={own.length} at={current && own.indexOf(current)} />
      <pre ref={box} dir="auto" className="max-w-[36em] font-sans text-base whitespace-pre-wrap wrap-anywhere">
        <MarkedText text={shown} places={places} current={current?.from} />
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
