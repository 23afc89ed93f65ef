import { useEffect, useRef } from "react";
import Markdown from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { placeOf, type Quote } from "./evidence";
import { safeAddress } from "./markdown-links";

type MarkdownViewProps = { text: string; quotes?: readonly Quote[] };

/** Markdown without a way out: HTML stays text, images are only those that it carries itself. */
export default function MarkdownView({ text, quotes = [] }: MarkdownViewProps) {
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const names = globalThis.CSS?.highlights;
    if (!root.current || !names || quotes.length === 0) return;
    names.set("evidence", new Highlight(...rangesOf(root.current, quotes)));
    return () => void names.delete("evidence");
  }, [quotes]);
  return (
    <div ref={root} className="prose-result">
      <Markdown
        remarkPlugins={[remarkGfm]}
        rehypePlugins={[rehypeSanitize]}
        urlTransform={safeAddress}
        components={{
          a: ({ href, children }) =>
            href ? (
              <a href={href} target="_blank" rel="noopener noreferrer nofollow">
                {children}
              </a>
            ) : (
              <span>{children}</span>
            ),
          img: ({ src, alt }) =>
            src ? <img src={src} alt={alt ?? ""} /> : <em>[image left out{alt ? `: ${alt}` : ""}]</em>,
        }}
      >
        {text}
      </Markdown>
    </div>
  );
}

/** Quotes that stand within one piece of text; the others are found in the source. */
function rangesOf(root: Node, quotes: readonly Quote[]): Range[] {
  const ranges: Range[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { text } of quotes) {
      const place = placeOf(node.textContent ?? "", text);
      if (!place) continue;
      const range = new Range();
      range.setStart(node, place.from);
      range.setEnd(node, place.to);
      ranges.push(range);
    }
  }
  return ranges;
}
