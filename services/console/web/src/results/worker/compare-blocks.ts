import { diffArrays, diffWordsWithSpace } from "diff";
import { DIFF_PIECES_MAX, DIFF_TIMEOUT_MS, DIFF_WORDS_MAX_CHARS } from "@/results/model/limits";
import type { Block } from "./blocks";

/** Words of a block that was changed; those of one side alone are marked. */
export type Words = { text: string; isChanged: boolean }[];
export type BlockChange =
  | { kind: "same" | "added" | "removed"; block: Block }
  | { kind: "changed"; before: Block; after: Block; words?: { before: Words; after: Words } };

/** Compare two documents by their blocks, and a block in the place of another of its kind by words. */
export function compareBlocks(before: readonly Block[], after: readonly Block[]): BlockChange[] {
  const isSame = (a: Block, b: Block) => a.text === b.text && JSON.stringify(a.node) === JSON.stringify(b.node);
  const parts = diffArrays([...before], [...after], { comparator: isSame, timeout: DIFF_TIMEOUT_MS });
  if (!parts) throw new Error("they are too different");
  const until = Date.now() + DIFF_TIMEOUT_MS;
  return parts.flatMap((part, at): BlockChange[] => {
    const next = parts[at + 1];
    if (part.added && parts[at - 1]?.removed) return []; // told with those in whose place they stand
    if (part.removed && next?.added) return pair(part.value, next.value, until);
    const kind = part.added ? "added" : part.removed ? "removed" : "same";
    return part.value.map((block) => ({ kind, block }));
  });
}

function pair(before: readonly Block[], after: readonly Block[], until: number): BlockChange[] {
  const changes: BlockChange[] = [];
  for (let at = 0; at < Math.max(before.length, after.length); at += 1) {
    const [old, now] = [before[at], after[at]];
    if (old && now && old.node.type === now.node.type) {
      changes.push({ kind: "changed", before: old, after: now, words: compareWords(old.text, now.text, until) });
    } else {
      if (old) changes.push({ kind: "removed", block: old });
      if (now) changes.push({ kind: "added", block: now });
    }
  }
  return changes;
}

/** Compare two texts by word, as long as there is time; undefined where nearly all differs. */
function compareWords(before: string, after: string, until: number): { before: Words; after: Words } | undefined {
  const timeout = until - Date.now();
  if (before.length + after.length > DIFF_WORDS_MAX_CHARS || timeout <= 0) return undefined;
  const words = diffWordsWithSpace(before, after, { timeout });
  if (!words || words.length > DIFF_PIECES_MAX) return undefined;
  if (!words.some(({ added, removed, value }) => !added && !removed && value.trim() !== "")) return undefined;
  const keep = (side: "added" | "removed") =>
    words
      .filter((each) => !each[side])
      .map(({ value, added, removed }) => ({ text: value, isChanged: added || removed }));
  return { before: keep("added"), after: keep("removed") };
}
