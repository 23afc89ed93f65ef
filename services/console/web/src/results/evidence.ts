import { QUOTES_MAX } from "./limits";

/** From one character of a text to behind another, counted in Unicode characters. */
type Span = readonly [from: number, to: number];
/** A quote, and where it stands in the result as it is stored, as far as the server found it. */
export type Quote = { id: string; text: string; spans?: readonly Span[] };
export type Place = { id: string; from: number; to: number };

/** Where a quote stands in a text: as it is written, or else with any white space for white space. */
export function placeOf(text: string, quote: string): { from: number; to: number } | null {
  const wanted = quote.trim();
  if (wanted === "") return null;
  const from = text.indexOf(wanted);
  if (from >= 0) return { from, to: from + wanted.length };
  const loose = wanted.split(/\s+/).map(escaped).join("\\s+");
  const match = new RegExp(loose, "i").exec(text);
  return match ? { from: match.index, to: match.index + match[0].length } : null;
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Where the server found a quote; else where the page does. */
function foundOf(text: string, { text: quote, spans = [] }: Quote): { from: number; to: number }[] {
  const places = spans.map(([from, to]) => ({ from: unitsOf(text, from), to: unitsOf(text, to) }));
  if (places.length > 0 && places.every(({ from, to }) => from < to)) return places;
  const place = placeOf(text, quote);
  return place ? [place] : [];
}

/** Where a character stands in a string, which counts those beyond the first 65,536 as two; NaN beyond its end. */
function unitsOf(text: string, characters: number): number {
  let units = 0;
  for (let passed = 0; passed < characters; passed += 1) {
    const point = text.codePointAt(units);
    if (point === undefined) return Number.NaN;
    units += point > 0xffff ? 2 : 1;
  }
  return units;
}

/**
 * The places of the quotes that are found, in order and none across another. The one that is asked for comes first, and
 * then the shorter: a quote of everything would cover those that say where to look.
 */
export function placesOf(text: string, quotes: readonly Quote[], asked: string | null = null): Place[] {
  const found = quotes
    .slice(0, QUOTES_MAX)
    .flatMap((quote) => foundOf(text, quote).map((place) => ({ id: quote.id, ...place })))
    .sort((a, b) => Number(b.id === asked) - Number(a.id === asked) || a.to - a.from - (b.to - b.from));
  const apart: Place[] = [];
  for (const place of found) {
    if (apart.every((other) => place.to <= other.from || place.from >= other.to)) apart.push(place);
  }
  return apart.sort((a, b) => a.from - b.from);
}

export type Piece = { text: string; from: number; id?: string };

/** A text cut into what is quoted and what is not. */
export function piecesOf(text: string, places: readonly Place[]): Piece[] {
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
