import { create } from "jsondiffpatch";
import { ExactNumber, isBranch, parseJson, stringifyJson } from "@/lib/exact-json";

/** Value that was added, removed, changed or moved: its path, and the JSON of each side. */
export type JsonChange = { path: string; before?: string; after?: string };

/** Objects of a list are the same by these fields, else by all that they hold. */
const NAMES = ["id", "key", "name", "title"];
const NUMBER = "\u0000number ";

const differ = create({
  objectHash: (value) => {
    const name = NAMES.map((key) => (value as Record<string, unknown>)[key]).find((each) => each !== undefined);
    return name === undefined ? JSON.stringify(value) : String(name);
  },
  arrays: { detectMove: false },
});

/** Compare two JSON texts by path. */
export function compareJson(before: string, after: string): JsonChange[] {
  const delta = differ.diff(toComparable(parseJson(before)), toComparable(parseJson(after)));
  return delta === undefined ? [] : listChanges(delta, "");
}

/** A number beyond what the browser counts exactly is compared as it was written. */
function toComparable(value: unknown): unknown {
  if (value instanceof ExactNumber) return NUMBER + value.source;
  if (Array.isArray(value)) return value.map(toComparable);
  return isBranch(value)
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toComparable(inner)]))
    : value;
}

function toExact(value: unknown): unknown {
  if (typeof value === "string" && value.startsWith(NUMBER)) return new ExactNumber(value.slice(NUMBER.length));
  if (Array.isArray(value)) return value.map(toExact);
  return isBranch(value)
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toExact(inner)]))
    : value;
}

const write = (value: unknown) => stringifyJson(toExact(value), 2);

/** List the changes of a delta: [new], [old, new], [old, 0, 0], or those of the fields of an object or a list. */
function listChanges(delta: unknown, path: string): JsonChange[] {
  if (Array.isArray(delta)) {
    const [first, second] = delta;
    if (delta.length === 1) return [{ path, after: write(first) }];
    return delta.length === 2
      ? [{ path, before: write(first), after: write(second) }]
      : [{ path, before: write(first) }];
  }
  const fields = Object.entries(delta as object);
  if (!fields.some(([key, inner]) => key === "_t" && inner === "a")) {
    return fields.flatMap(([key, inner]) => listChanges(inner, path === "" ? key : `${path}.${key}`));
  }
  const at = ([key]: [string, unknown]) => Number(key.replace("_", "")); // "_3" is what stood at 3 before
  return fields
    .filter(([key]) => key !== "_t")
    .sort((a, b) => at(a) - at(b) || a[0].localeCompare(b[0]))
    .flatMap((field) => listChanges(field[1], `${path}[${at(field)}]`));
}
