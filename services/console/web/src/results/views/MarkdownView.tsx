import { useEffect, useRef } from "react";
import Markdown from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { findRanges, type Quote } from "@/results/model/evidence";
import { PLACES_MAX } from "@/results/model/limits";
import { keepSafeAddress } from "./markdown-links";

type MarkdownViewProps = { text: string; quotes?: readonly Quote[] };

/** Markdown that fetches nothing: HTML stays text, and only embedded images are shown. */
export default function MarkdownView({ text, quotes = [] }: MarkdownViewProps) {
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const names = globalThis.CSS?.highlights;
    if (!root.current || !names || quotes.length === 0) return;
    names.set("evidence", new Highlight(...findMarks(root.current, quotes)));
    return () => void names.delete("evidence");
  }, [quotes]);
  return (
    <div ref={root} className="prose-result">
      <Markdown
        remarkPlugins={[remarkGfm]}
        rehypePlugins={[rehypeSanitize]}
        urlTransform={keepSafeAddress}
        components={{
          a: ({ href, children }) =>
            href ? (
              <a href={href} target="_blank" rel="noopener noreferrer nofollow">
                {children}
              </a>
            ) : (
              <span>{children}</span>
            ),
          pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
          table: ({ children }) => (
            <section tabIndex={0} aria-label="Table" className="overflow-x-auto">
              <table>{children}</table>
            </section>
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

/** Find quotes that lie within one text node; the others are marked in the text view. */
function findMarks(root: Node, quotes: readonly Quote[]): Range[] {
  const marks = new Map(quotes.map(({ text }) => [text, [] as Range[]]));
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const [text, found] of marks) {
      if (found.length >= PLACES_MAX) continue;
      for (const { from, to } of findRanges(node.textContent ?? "", text)) {
        const range = new Range();
        range.setStart(node, from);
        range.setEnd(node, to);
        found.push(range);
      }
    }
  }
  return [...marks.values()].flat();
}
