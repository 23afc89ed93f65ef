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
  source.kind === "text"
    ? source.text.split("\n").map((line) => ({ node: { type: "plain", value: line }, text: line }))
    : toBlocks(await toNodes(source));
