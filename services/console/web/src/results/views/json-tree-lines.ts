import { ExactNumber } from "@/lib/exact-json";
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
  opened: ReadonlySet<string>;
  shown: ReadonlyMap<string, number>;
};

const OPEN_DEPTH = 2;

export const isBranch = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !(value instanceof ExactNumber);

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
