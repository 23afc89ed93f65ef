import type { JobFacet } from "@/api/types";
import { COMPARED, QUERY_FIELDS } from "./parse-query";
import { type QueryPart, quoteValue, splitQuery } from "./split-query";

/** How a query may go on: the part that is shown, and the whole text with it. */
export type Suggestion = { part: string; text: string; count?: number };

const SHOWN_MAX = 8;

/** Find what is being typed at the end; undefined between parts. */
const findLast = (text: string): QueryPart | undefined => (/\s$/.test(text) ? undefined : splitQuery(text).at(-1));

/** Find the field whose values go on what is typed, as the API names it: "agent", "label:team". */
export function findSuggestedField(text: string): string | undefined {
  const { field = "", operator, value = "" } = findLast(text) ?? {};
  const word = field.toLowerCase();
  if (operator !== ":" || COMPARED.includes(word) || !QUERY_FIELDS.includes(word)) return undefined;
  return word === "label" && value.includes("=") ? `label:${value.split("=")[0]}` : word;
}

/** Suggest how a query goes on: by the values of the field that is typed, or by the fields that begin so. */
export function suggest(text: string, facets: readonly JobFacet[]): Suggestion[] {
  const last = findLast(text);
  if (!last) return [];
  const before = text.slice(0, last.from) + (last.isNegated ? "-" : "");
  const make = (part: string, count?: number) => ({ part, text: before + part, count });
  const field = findSuggestedField(text);
  const found =
    field === undefined
      ? suggestFields(last).map((part) => make(part))
      : suggestValues(field, last, facets).map(([part, count]) => make(part, count));
  return found.filter(({ part }) => before + part !== text).slice(0, SHOWN_MAX);
}

function suggestFields({ field, value, isOpen }: QueryPart): string[] {
  if (field !== undefined || isOpen || value === "") return [];
  const found = QUERY_FIELDS.filter((each) => each.startsWith(value.toLowerCase()));
  return found.map((each) => each + (COMPARED.includes(each) && each !== "created" ? ">" : ":"));
}

function suggestValues(field: string, { value }: QueryPart, facets: readonly JobFacet[]): [string, number][] {
  const [word, label] = field.split(/:(.*)/);
  const head = label === undefined ? `${word}:` : `label:${quoteValue(label)}=`;
  const sought = (label === undefined ? value : value.slice(label.length + 1)).toLowerCase();
  const fits = (each: string | null | undefined) => each?.toLowerCase().includes(sought);
  return facets
    .filter((each) => fits(each.value) || fits(each.name))
    .map((each) => {
      const written = quoteValue(word === "status" ? each.value.toLowerCase() : each.value);
      return [`${head}${written}${field === "label" ? "=" : ""}`, each.count];
    });
}
