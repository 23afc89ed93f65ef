import { isBranch } from "@/lib/exact-json";
import { TREE_CHILDREN_SHOWN } from "@/results/model/limits";

export type Node = {
  path: string;
  name: string | null;
  depth: number;
  value: unknown;
  /** Number of children of an object or a list; null for a leaf. */
  size: number | null;
  isOpen: boolean;
  /** Number of children not shown, on the line that shows more of the node at `path`. */
  more?: number;
};

export type TreeState = {
  closed: ReadonlySet<string>;
  /** Branches below OPEN_DEPTH, and long strings, that are open. */
  opened: ReadonlySet<string>;
  shown: ReadonlyMap<string, number>;
};

const OPEN_DEPTH = 2;

/** List the lines of open branches; a closed branch costs nothing, however large. */
export function listLines(value: unknown, state: TreeState): Node[] {
  const lines: Node[] = [];
  visit(lines, state, value, null, "", 0);
  return lines;
}

function visit(
  lines: Node[],
  state: TreeState,
  value: unknown,
  name: string | null,
  path: string,
  depth: number,
): void {
  const entries = isBranch(value) ? Object.entries(value) : null;
  const isOpen = entries !== null && isOpenAt(state, path, depth);
  lines.push({ path, name, depth, value, size: entries?.length ?? null, isOpen });
  if (!entries || !isOpen) return;
  const shown = state.shown.get(path) ?? TREE_CHILDREN_SHOWN;
  for (const [key, child] of entries.slice(0, shown)) visit(lines, state, child, key, `${path}/${key}`, depth + 1);
  const more = entries.length - shown;
  if (more > 0) lines.push({ path, name: null, depth: depth + 1, value: null, size: null, isOpen: false, more });
}

function isOpenAt(state: TreeState, path: string, depth: number): boolean {
  return depth < OPEN_DEPTH ? !state.closed.has(path) : state.opened.has(path);
}

export function toggleNode(state: TreeState, node: Node): TreeState {
  const set = node.depth < OPEN_DEPTH ? "closed" : "opened";
  const next = new Set(state[set]);
  if (!next.delete(node.path)) next.add(node.path);
  return { ...state, [set]: next };
}

export function showMore(state: TreeState, path: string): TreeState {
  const shown = (state.shown.get(path) ?? TREE_CHILDREN_SHOWN) + TREE_CHILDREN_SHOWN;
  return { ...state, shown: new Map(state.shown).set(path, shown) };
}

export const INITIAL_TREE: TreeState = { closed: new Set(), opened: new Set(), shown: new Map() };

/** Open or close a long string. */
export function toggleString(state: TreeState, path: string): TreeState {
  const opened = new Set(state.opened);
  if (!opened.delete(path)) opened.add(path);
  return { ...state, opened };
}

export const pathOf = (keys: readonly string[]) => keys.map((key) => `/${key}`).join("");

/** Open all that leads to a string, and the string itself. */
export function openPath(state: TreeState, value: unknown, keys: readonly string[]): TreeState {
  const closed = new Set(state.closed);
  const opened = new Set(state.opened).add(pathOf(keys));
  const shown = new Map(state.shown);
  let inner = value;
  keys.forEach((key, depth) => {
    const path = pathOf(keys.slice(0, depth));
    closed.delete(path);
    opened.add(path);
    const place = isBranch(inner) ? Object.keys(inner).indexOf(key) : 0;
    if (place >= (shown.get(path) ?? TREE_CHILDREN_SHOWN)) shown.set(path, place + 1);
    inner = (inner as Record<string, unknown>)[key];
  });
  return { closed, opened, shown };
}
