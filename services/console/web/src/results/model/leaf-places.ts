import { isBranch } from "@/lib/exact-json";
import { findRanges, findTyped, type Quote } from "./evidence";
import { PLACES_MAX, SEARCHED_MAX, SEARCHED_VALUES_MAX } from "./limits";

/** Place of a quote in a string within a value: the keys that lead to the string, and where in it the place begins. */
export type LeafPlace = { keys: readonly string[]; from: number };

/**
 * Find the places of a quote in the strings of a value, in the order of a tree; what stands across strings is none. What somebody
 * types is found in numbers, too.
 */
export function findLeafPlaces(value: unknown, { text, isSearched }: Pick<Quote, "text" | "isSearched">): LeafPlace[] {
  const most = isSearched ? SEARCHED_MAX : PLACES_MAX;
  const find = isSearched ? findTyped : findRanges;
  const places: LeafPlace[] = [];
  const waiting: [unknown, readonly string[]][] = [[value, []]];
  for (let seen = 0; seen < SEARCHED_VALUES_MAX && places.length < most; seen += 1) {
    const next = waiting.pop();
    if (!next) break;
    const [inner, keys] = next;
    if (typeof inner === "string" || (isSearched && !isBranch(inner)))
      places.push(...find(String(inner), text).map(({ from }) => ({ keys, from })));
    if (!isBranch(inner)) continue;
    for (const [key, child] of Object.entries(inner).toReversed()) waiting.push([child, [...keys, key]]);
  }
  return places.slice(0, most);
}
