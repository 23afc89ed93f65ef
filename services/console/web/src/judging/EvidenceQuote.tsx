type EvidenceQuoteProps = { text: string; isFocused: boolean; onShow: () => void };

/** Quotation that a judge gave as evidence, which leads to its place in the result. */
export function EvidenceQuote({ text, isFocused, onShow }: EvidenceQuoteProps) {
  return (
    <button
      type="button"
      aria-pressed={isFocused}
      title="Show where it stands in the result; again: the next place"
      onClick={onShow}
      className="mt-1 block max-w-full text-left wrap-anywhere hover:underline"
    >
      <mark className="box-decoration-clone px-0.5">
        “<bdi>{text}</bdi>”
      </mark>
    </button>
  );
}
