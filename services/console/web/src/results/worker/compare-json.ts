import { create } from "jsondiffpatch";
import { ExactNumber, isBranch, parseJson, stringifyJson } from "@/lib/exact-json";
import { DIFF_ITEMS_MAX, DIFF_PATH_CHARS, TEXT_SHOWN_CHARS } from "@/results/model/limits";

/** Value that was added, removed or changed: its path, and the JSON of each side. */
export type JsonChange = { kind: "added" | "removed" | "changed"; path: string; before?: string; after?: string };

/** Objects of a list are the same by these fields, else by all that they hold. */
const NAMES = ["id", "key", "name", "title"];
const NUMBER = "\u0000number ";

/** Stands before each key: an object compared has no fields but its own, whatever others call theirs ("__proto__", "toString", "_t"). */
const FIELD = ".";

const differ = create({ objectHash: nameItem, arrays: { detectMove: false } });

type DiffContext = Parameters<(typeof differ.processor.pipes.diff.filters)[number]>[0];

/** Let long lists differ as a whole: the library would compare each item of one with each of the other's, and keep all that in memory. */
function limitLists(context: DiffContext): void {
  const { left, right } = context;
  if (Array.isArray(left) && Array.isArray(right) && countPairs(left, right) > DIFF_ITEMS_MAX)
    context.setResult([left, right]).exit();
}
limitLists.filterName = "limitLists";
differ.processor.pipes.diff.before("arrays", limitLists);

/** Name an item of a list, by which it is found again. */
function nameItem(value: unknown): string {
  const name = isBranch(value) ? NAMES.map((key) => (value as Record<string, unknown>)[FIELD + key]) : [];
  return JSON.stringify(name.find((each) => each !== undefined) ?? value);
}

/** Count the pairs of items between where two lists begin alike and where they end alike. */
function countPairs(before: readonly unknown[], after: readonly unknown[]): number {
  const [old, now] = [before.map(nameItem), after.map(nameItem)];
  const most = Math.min(old.length, now.length);
  let [head, tail] = [0, 0];
  while (head < most && old[head] === now[head]) head += 1;
  while (tail < most - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  return (old.length - head - tail) * (now.length - head - tail);
}

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
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [FIELD + key, toComparable(inner)]))
    : value;
}

function toExact(value: unknown): unknown {
  if (typeof value === "string" && value.startsWith(NUMBER)) return new ExactNumber(value.slice(NUMBER.length));
  if (Array.isArray(value)) return value.map(toExact);
  return isBranch(value)
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.slice(FIELD.length), toExact(inner)]))
    : value;
}

/** Write a value, and how much of it is left out where it is long. */
function write(value: unknown): string {
  const text = stringifyJson(toExact(value), 2);
  const left = text.length - TEXT_SHOWN_CHARS;
  return left > 0 ? `${text.slice(0, TEXT_SHOWN_CHARS)}… ${left} more characters` : text;
}

/** Add a step to a path; of a long one stands how it ends, as each change has its own. */
function extendPath(path: string, step: string): string {
  const longer = path + step;
  return longer.length > DIFF_PATH_CHARS ? `…${longer.slice(-DIFF_PATH_CHARS)}` : longer;
}

/** List the changes of a delta: [new], [old, new], [old, 0, 0], or those of the fields of an object or a list. */
function listChanges(delta: unknown, path: string): JsonChange[] {
  if (Array.isArray(delta)) {
    const [first, second] = delta;
    if (delta.length === 1) return [{ kind: "added", path, after: write(first) }];
    return delta.length === 2
      ? [{ kind: "changed", path, before: write(first), after: write(second) }]
      : [{ kind: "removed", path, before: write(first) }];
  }
  const { _t: isList, ...inner } = delta as Record<string, unknown>;
  const fields = Object.entries(inner);
  if (!isList)
    return fields.flatMap(([key, each]) => listChanges(each, extendPath(path, path === "" ? key.slice(1) : key)));
  const at = ([key]: [string, unknown]) => Number(key.replace("_", "")); // "_3" is what stood at 3 before
  return fields
    .sort((a, b) => at(a) - at(b) || a[0].localeCompare(b[0]))
    .flatMap((field) => listChanges(field[1], extendPath(path, `[${at(field)}]`)));
}
