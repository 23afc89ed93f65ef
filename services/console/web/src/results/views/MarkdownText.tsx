import { useMemo, useState } from "react";
import { useWorker } from "@/results/worker/use-worker";
import { DocumentView } from "./DocumentView";
import { DrawnNode } from "./DrawnNode";
import { PlainText, ShowAll } from "./PlainText";

/** So many blocks are drawn at first, and so many at most without regard to what is seen. */
const BLOCKS_SHOWN = 8;
const BLOCKS_DRAWN_MAX = 60;

type MarkdownTextProps = { text: string };

/** Text of Markdown as it reads, how it begins at first; drawn as results are: nothing of it is run or fetched. */
export default function MarkdownText({ text }: MarkdownTextProps) {
  const [isWhole, setWhole] = useState(false);
  const source = useMemo(() => ({ kind: "markdown" as const, text }), [text]);
  const asked = useMemo(() => ({ kind: "document" as const, texts: [source] }), [source]);
  const blocks = useWorker(asked).value?.[0];
  const parts = useMemo(() => [{ kind: "document" as const, source }], [source]);
  if (!blocks) return <PlainText text={text} />;
  if (isWhole && blocks.length > BLOCKS_DRAWN_MAX) return <DocumentView parts={parts} />;
  const shown = isWhole ? blocks : blocks.slice(0, BLOCKS_SHOWN);
  return (
    <div>
      <div className="prose-result prose-column">
        {shown.map(({ node }, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: blocks have no other name, and never move
          <DrawnNode key={at} node={node} />
        ))}
      </div>
      {shown.length < blocks.length && <ShowAll onClick={() => setWhole(true)} />}
    </div>
  );
}
