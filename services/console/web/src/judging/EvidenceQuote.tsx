import { readMarkdown } from "./verdict";

type EvidenceQuoteProps = { text: string; isFocused: boolean; onShow: () => void };

/** Quotation that a judge gave as evidence, as it is read and at most three lines of it, which leads to its place in the result. */
export function EvidenceQuote({ text, isFocused, onShow }: EvidenceQuoteProps) {
  return (
    <button
      type="button"
      aria-pressed={isFocused}
      title="Show where it stands in the result; again: the next place"
      onClick={onShow}
      className="mt-1 block max-w-full text-left wrap-anywhere hover:underline"
    >
      <span className="line-clamp-3">
        <mark className="box-decoration-clone px-0.5">
          “<bdi>{readMarkdown(text)}</bdi>”
        </mark>
      </span>
    </button>
  );
}
