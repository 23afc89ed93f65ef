import type { Place } from "@/results/model/evidence";
import type { Finder } from "./document-entries";

const BLOCKS = "p, li, h1, h2, h3, h4, h5, h6, pre, td, th, dt, dd, blockquote";

/** Place of a quote in what is drawn of a text, also across marks such as bold. */
export type RenderedPlace = Place & { range: Range };

/** Find places in what was drawn of a document. */
export function findPlacesIn(root: Node, find: Finder): RenderedPlace[] {
  const { text, locate } = readText(root);
  return find(text).flatMap((place) => {
    const [start, end] = [locate(place.from, false), locate(place.to, true)];
    if (!start || !end) return [];
    const range = new Range();
    range.setStart(...start);
    range.setEnd(...end);
    return [{ ...place, range }];
  });
}

/** Read the text that is drawn, a line a block; and find which text node holds a place of it. */
function readText(root: Node) {
  const pieces: { node: Text; from: number }[] = [];
  let text = "";
  let block: Element | null | undefined;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const own = node.parentElement?.closest(BLOCKS);
    if (own !== block) text += "\n"; // words of two blocks are not one
    block = own;
    pieces.push({ node: node as Text, from: text.length });
    text += node.textContent ?? "";
  }
  /** Find the node of a place; the end of one belongs to the node that it ends. */
  const locate = (at: number, isEnd: boolean) => {
    const piece = pieces.findLast(({ from }) => (isEnd ? from < at : from <= at));
    return piece && ([piece.node, Math.min(at - piece.from, piece.node.length)] as const);
  };
  return { text, locate };
}
