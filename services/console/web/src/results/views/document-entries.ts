import { isBranch } from "@/lib/exact-json";
import { findRenderedPlaces, findTyped, type Place, type Quote } from "@/results/model/evidence";
import { SEARCHED_VALUES_MAX } from "@/results/model/limits";
import type { Part } from "@/results/model/list-parts";
import type { Block } from "@/results/worker/blocks";

/** So much of a result as is drawn at once, and the text that is read in it. */
export type Entry = { text: string } & ({ block: Block } | { part: Exclude<Part, { kind: "document" }> });
export type EntryPlace = Place & { entry: number };
export type Finder = (text: string) => Place[];
/** Id of what is typed into the search. */
export const SEARCHED = "\u0000searched";

/** List what is drawn of parts, with the blocks that the worker made of their texts. */
export function listEntries(parts: readonly Part[], documents: readonly Block[][]): Entry[] {
  let at = 0;
  return parts.flatMap((part): Entry[] =>
    part.kind === "document"
      ? (documents[at++] ?? []).map((block) => ({ block, text: block.text }))
      : [{ part, text: readPart(part) }],
  );
}

function readPart(part: Exclude<Part, { kind: "document" }>): string {
  switch (part.kind) {
    case "name":
      return part.name;
    case "facts":
      return part.facts.flat().join("\n");
    case "table":
      return readStrings(part.rows);
    case "tree":
      return readStrings(part.value);
    case "image":
      return "";
  }
}

/** Read the strings of a value, in the order of a tree. */
function readStrings(value: unknown): string {
  const texts: string[] = [];
  const waiting: unknown[] = [value];
  for (let seen = 0; waiting.length > 0 && seen < SEARCHED_VALUES_MAX; seen += 1) {
    const next = waiting.pop();
    if (isBranch(next)) waiting.push(...Object.values(next).toReversed());
    else texts.push(String(next));
  }
  return texts.join("\n");
}

/** Create what finds the places of a search, else those of quotes. */
export function createFinder(query: string, quotes: readonly Quote[], asked: string | undefined): Finder {
  if (query.trim() === "") return (text) => findRenderedPlaces(text, quotes, asked);
  return (text) => findTyped(text, query).map((range) => ({ id: SEARCHED, ...range }));
}

/** Find places in all that is drawn or would be; each is of the entry in which it begins. */
export function findInEntries(entries: readonly Entry[], find: Finder): EntryPlace[] {
  const ends: number[] = [];
  let length = 0;
  for (const { text } of entries) {
    length += text.length + 1;
    ends.push(length);
  }
  let entry = 0;
  return find(entries.map(({ text }) => text).join("\n")).map((place) => {
    while ((ends[entry] ?? Number.POSITIVE_INFINITY) <= place.from) entry += 1;
    return { ...place, entry };
  });
}

/** Whether an entry finds its places by itself, as it draws only what is seen of them. */
export const findsItself = (entry: Entry | undefined) =>
  entry !== undefined && "part" in entry && (entry.part.kind === "tree" || entry.part.kind === "table");

/** Count the places before one in its entry. */
export const countBefore = (own: readonly EntryPlace[], current: EntryPlace) =>
  own.filter(({ entry, from }) => entry === current.entry && from < current.from).length;

/** List the headings: names of fields, and those of their texts. */
export function listHeadings(entries: readonly Entry[]) {
  return entries.flatMap((each, entry) => {
    if ("part" in each) return each.part.kind === "name" ? [{ entry, depth: 1, text: each.text }] : [];
    const { node } = each.block;
    return node.type === "heading" && !node.isContinued ? [{ entry, depth: node.depth, text: each.text }] : [];
  });
}
