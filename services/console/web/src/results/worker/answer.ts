import { BEGINNING_CHARS, BLOCKS_HANDED } from "@/results/model/limits";
import type { DocumentText } from "@/results/model/list-parts";
import type { Block, Node } from "./blocks";
import { colourCode } from "./colour-code";
import type { BlockChange } from "./compare-blocks";
import type { JsonChange } from "./compare-json";
import { parseMarkdown } from "./parse-markdown";
import { toBlocks } from "./split-nodes";

/** Requests to the worker, and the answer to each. */
export type Work = {
  document: { request: { texts: readonly DocumentText[] }; answer: Block[][] };
  blocks: { request: { before: DocumentText; after: DocumentText }; answer: BlockChange[] };
  json: { request: { before: string; after: string }; answer: JsonChange[] };
};
export type Kind = keyof Work;
export type Asked<K extends Kind = Kind> = { [Each in K]: { kind: Each } & Work[Each]["request"] }[K];

/** Message of the worker: the blocks of how a long document begins, a part of a list of the answer, or its end with the number of lists. */
export type Told = { beginning: Block[][] } | { of: number; part: readonly unknown[] } | { lists: number };

/** Answer in messages none of which is large: blocks of each document, or changes. */
export async function* tell(asked: Asked): AsyncGenerator<Told> {
  const texts = asked.kind === "document" && cutBeginning(asked.texts);
  if (texts) yield { beginning: (await answer({ kind: "document", texts })) as Block[][] };
  const whole = await answer(asked);
  const lists = asked.kind === "document" ? (whole as Block[][]) : [whole];
  for (const [of, list] of lists.entries())
    for (let at = 0; at < list.length; at += BLOCKS_HANDED) yield { of, part: list.slice(at, at + BLOCKS_HANDED) };
  yield { lists: lists.length };
}

/** Cut texts to how they begin, between blocks where there are any; undefined where that would be all of them. */
function cutBeginning(texts: readonly DocumentText[]): DocumentText[] | undefined {
  let left = BEGINNING_CHARS;
  if (texts.reduce((sum, { text }) => sum + text.length, 0) <= 2 * left) return undefined;
  return texts.map((each) => {
    const text = each.text.length <= left ? each.text : each.text.slice(0, findCut(each.text, left));
    left = Math.max(0, left - each.text.length);
    return { ...each, text };
  });
}

const FENCE = /^ {0,3}(?:```|~~~)/gm;

/** Find where a text may be cut before a place: not within code. */
function findCut(text: string, most: number): number {
  const fences = [...text.slice(0, most).matchAll(FENCE)].map(({ index }) => index);
  const end = fences.length % 2 === 1 ? (fences.at(-1) as number) : most;
  const at = text.lastIndexOf("\n\n", end);
  return at > 0 ? at : end;
}

export async function answer(asked: Asked): Promise<Work[Kind]["answer"]> {
  switch (asked.kind) {
    case "document":
      return await Promise.all(asked.texts.map(async (text) => toBlocks(await toNodes(text))));
    case "blocks":
      return (await import("./compare-blocks")).compareBlocks(
        await toCompared(asked.before),
        await toCompared(asked.after),
      );
    case "json":
      return (await import("./compare-json")).compareJson(asked.before, asked.after);
  }
}

async function toNodes({ kind, text, language }: DocumentText): Promise<Node[]> {
  if (kind === "markdown") return await parseMarkdown(text);
  if (kind === "code") return [{ type: "code", tokens: await colourCode(text, language) }];
  return [{ type: "plain", value: text }];
}

/** Text that is compared: by its blocks; by its lines where it has none. */
const toCompared = async (source: DocumentText): Promise<Block[]> =>
  toBlocks(
    source.kind === "text" ? source.text.split("\n").map((value) => ({ type: "plain", value })) : await toNodes(source),
  );
