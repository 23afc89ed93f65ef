import { Download } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";
import { bytes } from "@/lib/format";
import { Button } from "@/ui/button";
import { Skeleton } from "@/ui/states";
import { type Tab, Tabs } from "@/ui/tabs";
import { DiffView } from "./DiffView";
import { download } from "./download";
import type { Quote } from "./evidence";
import { HtmlFrame } from "./HtmlFrame";
import { JsonTree } from "./JsonTree";
import { type Looked, lookAt, type View } from "./kinds";
import { TableView } from "./TableView";
import { TextView } from "./TextView";

const MarkdownView = lazy(() => import("./MarkdownView"));

const LABELS: Record<View, string> = {
  text: "Text",
  markdown: "Markdown",
  html: "Rendered",
  table: "Table",
  image: "Image",
  json: "JSON",
};

type ResultPreviewProps = {
  value: unknown;
  /** Where the console renders it, if it is HTML. */
  rendered?: string;
  /** What a download is called, without its ending. */
  name: string;
  quotes?: readonly Quote[];
  /** The quote to bring into sight. */
  focused?: string | null;
  /** The result to compare it with. */
  compared?: { name: string; value: unknown };
};

const NO_QUOTES: readonly Quote[] = [];

/** A result by what it is, within bounds; downloads are whole. */
export function ResultPreview(props: ResultPreviewProps) {
  const { value, rendered, name, quotes = NO_QUOTES, focused = null, compared } = props;
  const looked = useMemo(() => lookAt(value), [value]);
  const [chosen, choose] = useState<View | "diff" | null>(null);
  const [answered, answer] = useState<string | null>(null);
  // A quote that is asked for is shown in the text, once; after that the choice is free again.
  const isAsked = focused !== null && focused !== answered;
  const view = isAsked ? (looked.views.includes("text") ? "text" : "json") : (chosen ?? looked.views[0] ?? "json");
  const views = looked.views.filter((each) => each !== "html" || rendered !== undefined);
  const shown = { looked, value, rendered, quotes, focused, name };
  const tabs: Tab<View | "diff">[] = views.map((each) => ({
    value: each,
    label: LABELS[each],
    content: <Shown view={each} {...shown} />,
  }));
  if (compared) {
    const before = lookAt(compared.value).text;
    const content = <DiffView before={before} after={looked.text} beforeName={compared.name} afterName="This one" />;
    tabs.push({ value: "diff", label: `Diff with ${compared.name}`, content });
  }
  const type = looked.extension === "json" ? "application/json" : "text/plain";
  return (
    <Tabs
      label="Views of the result"
      tabs={tabs}
      value={view}
      onChange={(next) => {
        answer(focused);
        choose(next);
      }}
      aside={
        <Button kind="quiet" size="small" onClick={() => download(`${name}.${looked.extension}`, looked.text, type)}>
          <Download aria-hidden size={14} />
          Download {bytes(new Blob([looked.text]).size)}
        </Button>
      }
    />
  );
}

type ShownProps = {
  view: View;
  looked: Looked;
  value: unknown;
  rendered?: string;
  quotes: readonly Quote[];
  focused: string | null;
  name: string;
};

function Shown({ view, looked, value, rendered = "", quotes, focused, name }: ShownProps) {
  switch (view) {
    case "text":
      return <TextView text={looked.text} quotes={quotes} focused={focused} />;
    case "markdown":
      return (
        <Suspense fallback={<Skeleton className="h-40" />}>
          <MarkdownView text={looked.text} quotes={quotes} />
        </Suspense>
      );
    case "html":
      return <HtmlFrame address={rendered} name={name} />;
    case "table":
      return <TableView rows={looked.rows ?? []} />;
    case "image":
      return <img src={looked.image} alt={`Result ${name}`} className="max-h-[60vh] max-w-full" />;
    case "json":
      return <JsonTree value={value} label="Result as JSON" />;
  }
}
