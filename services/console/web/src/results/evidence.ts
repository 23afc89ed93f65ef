import { QUOTES_MAX } from "./limits";

export type Quote = { id: string; text: string };
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

/**
 * The places of the quotes that are found, in order and none across another. The one that is asked for comes first, and
 * then the shorter: a quote of everything would cover those that say where to look.
 */
export function placesOf(text: string, quotes: readonly Quote[], asked: string | null = null): Place[] {
  const found = quotes
    .slice(0, QUOTES_MAX)
    .flatMap(({ id, text: quote }) => {
      const place = placeOf(text, quote);
      return place ? [{ id, ...place }] : [];
    })
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
