import { memo, useEffect, useRef, useState } from "react";
import Markdown from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import type { Focus, Quote } from "@/results/model/evidence";
import { EvidenceStatus } from "./EvidenceStatus";
import { keepSafeAddress } from "./markdown-links";
import { findPlacesIn } from "./rendered-ranges";

type MarkdownViewProps = { text: string; quotes?: readonly Quote[]; focus?: Focus | null };

const NO_QUOTES: readonly Quote[] = [];
const UNMARKED = { marked: 0, own: 0, at: 0 };

/** Markdown as it reads, with its quotes marked; the place in focus is scrolled into view. */
export default function MarkdownView({ text, quotes = NO_QUOTES, focus = null }: MarkdownViewProps) {
  const root = useRef<HTMLDivElement>(null);
  const [marks, setMarks] = useState(UNMARKED);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another text is drawn anew
  useEffect(() => {
    if (!root.current) return;
    const places = findPlacesIn(root.current, quotes, focus?.id);
    const own = places.filter(({ id }) => id === focus?.id);
    const current = focus ? own[focus.turn % own.length] : undefined;
    setMarks({ marked: places.length, own: own.length, at: current ? own.indexOf(current) : 0 });
    current?.range.startContainer.parentElement?.scrollIntoView?.({ block: "center" });
    const names = globalThis.CSS?.highlights; // a browser without them shows the place all the same
    names?.set("evidence", new Highlight(...places.map(({ range }) => range)));
    names?.set("evidence-current", new Highlight(...(current ? [current.range] : [])));
    return () => {
      names?.delete("evidence");
      names?.delete("evidence-current");
    };
  }, [text, quotes, focus]);
  return (
    <div>
      <EvidenceStatus {...marks} />
      <div ref={root} className="prose-result">
        <SafeMarkdown text={text} />
      </div>
    </div>
  );
}

/** Markdown that fetches nothing: HTML stays text, and only embedded images are shown. */
const SafeMarkdown = memo(({ text }: { text: string }) => (
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
        // A result may have many: a group may have the name of another, and a landmark may not.
        <div role="group" tabIndex={0} aria-label="Table" className="overflow-x-auto">
          <table>{children}</table>
        </div>
      ),
      th: ({ children, style }) => (children ? <th style={style}>{children}</th> : <td />),
      // The only field in Markdown is the box of a task.
      input: ({ checked }) => (
        <input type="checkbox" checked={checked} disabled aria-label={checked ? "Done" : "To do"} />
      ),
      img: ({ src, alt }) =>
        src ? <img src={src} alt={alt ?? ""} /> : <em>[image left out{alt ? `: ${alt}` : ""}]</em>,
    }}
  >
    {text}
  </Markdown>
));
