import { PLACES_MAX, QUOTES_MAX, SEARCHED_MAX } from "./limits";

/** Range of a text in Unicode characters: first, and one after the last. */
type Span = readonly [from: number, to: number];
/** Quote of a criterion's evidence, and its places in the stored result as far as the server found them. */
export type Quote = {
  id: string;
  criterion?: string;
  text: string;
  spans?: readonly Span[];
  /** Whether somebody types it: then it is found in all values, and within words. */
  isSearched?: boolean;
};
/** Quote to show; each turn shows its next place. One that is still is not scrolled to: the reader was elsewhere already. */
export type Focus = { id: string; turn: number; isStill?: boolean };
type Range = { from: number; to: number };
export type Place = Range & { id: string };

/** Letter or digit of a script that writes spaces between words: a quote of one does not end within a word. */
const SPACED = String.raw`(?![\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}])[\p{L}\p{N}]`;
const BEGINS_SPACED = new RegExp(`^${SPACED}`, "u");
const ENDS_SPACED = new RegExp(`${SPACED}$`, "u");

/** Find what somebody typed, also within words. */
export function findTyped(text: string, typed: string): Range[] {
  const words = typed.trim().split(/\s+/).map(escapeRegExp);
  return words[0] === "" ? [] : matchAll(text, new RegExp(words.join("\\s+"), "giu"), SEARCHED_MAX);
}

/** Find a quote in a text, word for word, ignoring case and kinds of white space. */
export function findRanges(text: string, quote: string): Range[] {
  const words = quote.trim().split(/\s+/);
  if (words[0] === "") return [];
  const pattern = words.map(escapeRegExp).join("\\s+");
  return matchAll(text, new RegExp(guard(words[0] ?? "", words.at(-1) ?? "", pattern), "giu"));
}

/** Keep a pattern from beginning or ending within a word, by its first and last words. */
function guard(first: string, last: string, pattern: string): string {
  const begin = BEGINS_SPACED.test(first) ? `(?<!${SPACED})` : "";
  return begin + pattern + (ENDS_SPACED.test(last) ? `(?!${SPACED})` : "");
}

function matchAll(text: string, sought: RegExp, most = PLACES_MAX): Range[] {
  const ranges: Range[] = [];
  for (const { index, 0: match } of text.matchAll(sought)) {
    ranges.push({ from: index, to: index + match.length });
    if (ranges.length === most) break;
  }
  return ranges;
}

const WORDS = /[\p{L}\p{N}]+/gu;
const LINK_TARGETS = /\]\([^()]*\)/g;

/** Find a quote of Markdown in the text that is drawn of it: its words in a row, whatever marks stand between them. */
export function findRenderedRanges(text: string, quote: string): Range[] {
  const words = quote.replace(LINK_TARGETS, "]").match(WORDS);
  if (!words) return [];
  const sought = new RegExp(guard(words[0] ?? "", words.at(-1) ?? "", words.join("[^\\p{L}\\p{N}]+")), "giu");
  return matchAll(text, sought);
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const BEYOND_16_BITS = /[\ud800-\udbff][\udc00-\udfff]/g;

/** Create a converter from Unicode characters to UTF-16 units of a text; NaN beyond its end. */
function createUnitConverter(text: string): (characters: number) => number {
  const wide = Array.from(text.matchAll(BEYOND_16_BITS), ({ index }, before) => index - before);
  return (characters) => {
    let [low, high] = [0, wide.length]; // how many of them lie before
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((wide[middle] as number) < characters) low = middle + 1;
      else high = middle;
    }
    return characters + low <= text.length ? characters + low : Number.NaN;
  };
}

/** Find the places of quotes in a text: the server's, else those where the page finds the quote. */
export function findPlaces(text: string, quotes: readonly Quote[], asked?: string): Place[] {
  const units = createUnitConverter(text);
  /** Use the server's places of a quote; else find them here. */
  const findQuote = ({ text: quote, spans = [], isSearched }: Quote): Range[] => {
    if (isSearched) return findTyped(text, quote);
    const ranges = spans.map(([from, to]) => ({ from: units(from), to: units(to) }));
    return ranges.length > 0 && ranges.every(({ from, to }) => from < to) ? ranges : findRanges(text, quote);
  };
  return findSeparate(findQuote, quotes, asked);
}

/** Find the places of quotes of Markdown in the text that is drawn of it. */
export function findRenderedPlaces(text: string, quotes: readonly Quote[], asked?: string): Place[] {
  return findSeparate((quote) => findRenderedRanges(text, quote.text), quotes, asked);
}

/**
 * Find the places of quotes, in order and without overlaps. The quote in focus has precedence, and then the shorter: a
 * quote of everything would cover those that say where to look.
 */
function findSeparate(find: (quote: Quote) => Range[], quotes: readonly Quote[], asked?: string): Place[] {
  const all = quotes
    .slice(0, QUOTES_MAX)
    .flatMap((quote) => find(quote).map((range) => ({ id: quote.id, ...range })))
    .sort((a, b) => Number(b.id === asked) - Number(a.id === asked) || a.to - a.from - (b.to - b.from));
  const separate: Place[] = [];
  for (const place of all) {
    if (separate.every((other) => place.to <= other.from || place.from >= other.to)) separate.push(place);
  }
  return separate.sort((a, b) => a.from - b.from);
}

/** Keep the quotes of the criterion in hand: others would hide where it is met. */
export function keepInHand(quotes: readonly Quote[], focus: Focus | null): readonly Quote[] {
  const asked = quotes.find(({ id }) => id === focus?.id);
  return asked
    ? quotes.filter(
        (quote) => quote === asked || (quote.criterion !== undefined && quote.criterion === asked.criterion),
      )
    : [];
}

/** Pick the place of a focus; after the last comes the first again. */
export function pickPlace<T extends Place>(places: readonly T[], { id, turn }: Focus): T | undefined {
  const own = places.filter((place) => place.id === id);
  return own[turn % own.length];
}

export type Piece = { text: string; from: number; id?: string };

/** Split a text into quoted and other pieces. */
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
