import { PLACES_MAX, QUOTES_MAX } from "./limits";

/** From one character of a text to behind another, counted in Unicode characters. */
type Span = readonly [from: number, to: number];
/** A quote, and where it stands in the result as it is stored, as far as the server found it. */
export type Quote = { id: string; text: string; spans?: readonly Span[] };
/** The quote that is asked for; each turn brings its next place into sight. */
export type Focus = { id: string; turn: number };
type Range = { from: number; to: number };
export type Place = Range & { id: string };

/** Where a quote stands in a text, in whatever case and with any white space for white space. */
export function findRanges(text: string, quote: string): Range[] {
  const words = quote.trim().split(/\s+/).map(escapeRegExp);
  const ranges: Range[] = [];
  if (words[0] === "") return ranges;
  for (const { index, 0: match } of text.matchAll(new RegExp(words.join("\\s+"), "gi"))) {
    ranges.push({ from: index, to: index + match.length });
    if (ranges.length === PLACES_MAX) break;
  }
  return ranges;
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const BEYOND_16_BITS = /[\ud800-\udbff][\udc00-\udfff]/g;

/** From a place in characters to one in a string, which counts those beyond the first 65,536 as two; NaN behind its end. */
function createUnitConverter(text: string): (characters: number) => number {
  const wide = Array.from(text.matchAll(BEYOND_16_BITS), ({ index }, before) => index - before);
  return (characters) => {
    let [low, high] = [0, wide.length]; // before it stand so many of them
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((wide[middle] as number) < characters) low = middle + 1;
      else high = middle;
    }
    return characters + low <= text.length ? characters + low : Number.NaN;
  };
}

/**
 * The places of the quotes that are found, in order and none across another. The one that is asked for comes first, and
 * then the shorter: a quote of everything would cover those that say where to look.
 */
export function findPlaces(text: string, quotes: readonly Quote[], asked?: string): Place[] {
  const units = createUnitConverter(text);
  /** Where the server found a quote; else where the page does. */
  const findQuote = ({ text: quote, spans = [] }: Quote): Range[] => {
    const ranges = spans.map(([from, to]) => ({ from: units(from), to: units(to) }));
    return ranges.length > 0 && ranges.every(({ from, to }) => from < to) ? ranges : findRanges(text, quote);
  };
  const all = quotes
    .slice(0, QUOTES_MAX)
    .flatMap((quote) => findQuote(quote).map((range) => ({ id: quote.id, ...range })))
    .sort((a, b) => Number(b.id === asked) - Number(a.id === asked) || a.to - a.from - (b.to - b.from));
  const separate: Place[] = [];
  for (const place of all) {
    if (separate.every((other) => place.to <= other.from || place.from >= other.to)) separate.push(place);
  }
  return separate.sort((a, b) => a.from - b.from);
}

/** The place that a focus is at; after the last comes the first again. */
export function pickPlace(places: readonly Place[], { id, turn }: Focus): Place | undefined {
  const own = places.filter((place) => place.id === id);
  return own[turn % own.length];
}

export type Piece = { text: string; from: number; id?: string };

/** A text cut into what is quoted and what is not. */
export function splitAtPlaces(text: string, places: readonly Place[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { id, from, to } of places) {
    if (from >= text.length) break;
    if (from > at) pieces.push({ text: text.slice(at, from), from: at });
    pieces.push({ text: text.slice(from, to), from, id });
    at = to;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), from: at });
  return pieces;
}
