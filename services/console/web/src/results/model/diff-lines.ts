import { type ChangeObject, diffLines, diffWordsWithSpace } from "diff";
import { DIFF_MAX_CHARS, DIFF_TIMEOUT_MS, DIFF_WORDS_MAX_CHARS } from "./limits";

export type Piece = { text: string; isChanged: boolean };
export type Kind = "added" | "removed" | "same";
/** Lines in a row that were added, removed or kept; each line is pieces, of which those that differ are marked. */
export type DiffPart = { kind: Kind; lines: Piece[][] };

/** Compare two texts by line, and lines that replace others by word; undefined where they are too different. */
export function compareLines(before: string, after: string): DiffPart[] | undefined {
  if (before.length + after.length > DIFF_MAX_CHARS) return undefined;
  const parts = diffLines(before, after, { timeout: DIFF_TIMEOUT_MS });
  return parts?.map((part, index) => {
    const kind = part.added ? "added" : part.removed ? "removed" : "same";
    const other = kind === "removed" ? parts[index + 1] : kind === "added" ? parts[index - 1] : undefined;
    const isReplaced = other !== undefined && (kind === "removed" ? other.added : other.removed);
    const words = isReplaced ? compareWords(part, other, kind) : undefined;
    return { kind, lines: toLines(words ?? [{ text: part.value, isChanged: false }]) };
  });
}

/** Compare lines with those in whose place they stand; undefined where nearly all differs. */
function compareWords(own: ChangeObject<string>, other: ChangeObject<string>, kind: Kind): Piece[] | undefined {
  if (own.value.length + other.value.length > DIFF_WORDS_MAX_CHARS) return undefined;
  const [before, after] = kind === "removed" ? [own.value, other.value] : [other.value, own.value];
  const words = diffWordsWithSpace(before, after, { timeout: DIFF_TIMEOUT_MS });
  const mine = words?.filter((each) => (kind === "removed" ? !each.added : !each.removed)) ?? [];
  if (!mine.some(({ added, removed, value }) => !added && !removed && value.trim() !== "")) return undefined;
  return mine.map(({ value, added, removed }) => ({ text: value, isChanged: added || removed }));
}

/** Split pieces at the ends of lines. */
function toLines(pieces: readonly Piece[]): Piece[][] {
  const lines: Piece[][] = [[]];
  for (const { text, isChanged } of pieces) {
    for (const [at, line] of text.split("\n").entries()) {
      if (at > 0) lines.push([]);
      if (line !== "") lines.at(-1)?.push({ text: line, isChanged });
    }
  }
  if (lines.length > 1 && lines.at(-1)?.length === 0) lines.pop();
  return lines;
}
