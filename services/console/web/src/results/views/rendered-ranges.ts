import { type Focus, findRenderedRanges, type Quote } from "@/results/model/evidence";

export type RenderedRange = { id: string; range: Range };

const BLOCKS = "p, li, h1, h2, h3, h4, h5, h6, pre, td, th, blockquote";

/** Find quotes in what was drawn of a Markdown text, also across marks such as bold; in the order of the quotes. */
export function findRangesIn(root: Node, quotes: readonly Quote[]): RenderedRange[] {
  const pieces: { node: Text; from: number }[] = [];
  let text = "";
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let block: Element | null | undefined;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const own = node.parentElement?.closest(BLOCKS);
    if (own !== block) text += "\n"; // words of two blocks are not one
    block = own;
    pieces.push({ node: node as Text, from: text.length });
    text += node.textContent ?? "";
  }
  /** Find the text node that holds a place; an end belongs to the node that it ends. */
  const locate = (at: number, isEnd: boolean) => {
    const piece = pieces.findLast(({ from }) => (isEnd ? from < at : from <= at));
    return piece && ([piece.node, Math.min(at - piece.from, piece.node.length)] as const);
  };
  return quotes.flatMap(({ id, text: quote }) =>
    findRenderedRanges(text, quote).flatMap(({ from, to }) => {
      const [start, end] = [locate(from, false), locate(to, true)];
      if (!start || !end) return [];
      const range = new Range();
      range.setStart(...start);
      range.setEnd(...end);
      return [{ id, range }];
    }),
  );
}

/** Pick the range of a focus; after the last comes the first again. */
export function pickRange(ranges: readonly RenderedRange[], { id, turn }: Focus): RenderedRange | undefined {
  const own = ranges.filter((each) => each.id === id);
  return own[turn % own.length];
}
