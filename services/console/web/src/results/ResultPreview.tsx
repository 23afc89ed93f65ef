import { Download } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";
import { loadPart } from "@/lib/load-part";
import { type Focus, findRanges, findRenderedRanges, keepInHand, type Quote } from "@/results/model/evidence";
import { type InspectedResult, inspectResult, type View } from "@/results/model/inspect-result";
import { findLeafPlaces } from "@/results/model/leaf-places";
import { listParts, type Part } from "@/results/model/list-parts";
import { buildDownloadAddress, buildHtmlAddress, type Source } from "@/results/model/source";
import { HtmlFrame } from "@/results/views/HtmlFrame";
import { JsonTree } from "@/results/views/JsonTree";
import { StoredView } from "@/results/views/StoredView";
import { TableView } from "@/results/views/TableView";
import { TextView } from "@/results/views/TextView";
import { CopyButton } from "@/ui/controls/copy-button";
import { type Tab, Tabs } from "@/ui/controls/tabs";
import { Loading, Skeleton } from "@/ui/display/states";

const DocumentView = lazy(() => loadPart(() => import("@/results/views/DocumentView")));
const DiffView = lazy(() => loadPart(async () => ({ default: (await import("@/results/views/DiffView")).DiffView })));

type Shown = View | "stored";

const LABELS: Record<Shown, string> = {
  text: "Text",
  markdown: "Markdown",
  fields: "Fields",
  html: "Rendered",
  table: "Table",
  image: "Image",
  json: "JSON",
  stored: "As stored",
};

type ResultPreviewProps = {
  value: unknown;
  source: Source;
  quotes?: readonly Quote[];
  /** Quote to scroll into view. */
  focus?: Focus | null;
  /** Result to compare with. */
  compared?: { name: string; value: unknown };
};

const NO_QUOTES: readonly Quote[] = [];

/** Preview of a result by its kind, within bounds; downloads are whole. */
export function ResultPreview({ value, source, quotes = NO_QUOTES, focus = null, compared }: ResultPreviewProps) {
  const inspected = useMemo(() => inspectResult(value), [value]);
  const [chosen, choose] = useState<Shown | "diff" | null>(null);
  const [shownFocus, setShownFocus] = useState<Focus | null>(null);
  // The server's places count in the stored text, which only a string is shown as.
  const isStored = typeof value === "string";
  const inHand = useMemo(() => keepInHand(quotes, focus), [quotes, focus]);
  const own = useMemo(() => (isStored ? inHand : inHand.map(({ id, text }) => ({ id, text }))), [isStored, inHand]);
  const views: Shown[] = isStored ? inspected.views : [...inspected.views, "stored"];
  // A quote in focus switches to the text once; after that the choice is free again.
  const asked = focus && focus !== shownFocus ? quotes.find(({ id }) => id === focus.id) : undefined;
  const free = chosen ?? inspected.views[0] ?? "json";
  const view = asked ? chooseViewFor(asked, free, inspected, value) : free;
  const tabs: Tab<Shown | "diff">[] = views.map((each) => ({
    value: each,
    label: LABELS[each],
    content:
      each === "stored" ? (
        <StoredView source={source} quotes={inHand} focus={focus} />
      ) : (
        <Content view={each} looked={inspected} value={value} quotes={own} focus={focus} source={source} />
      ),
  }));
  if (compared) {
    const before = inspectResult(compared.value);
    const content = (
      <Suspense fallback={LOADING}>
        <DiffView
          kind={chooseDiff(before, inspected)}
          before={before.text}
          after={inspected.text}
          beforeName={compared.name}
          afterName="This one"
        />
      </Suspense>
    );
    tabs.push({ value: "diff", label: `Diff with ${compared.name}`, content });
  }
  return (
    <Tabs
      label="Views of the result"
      tabs={tabs}
      value={view}
      onChange={(next) => {
        setShownFocus(focus);
        choose(next);
      }}
      aside={
        <span className="flex items-center">
          <CopyButton text={inspected.text} label="Copy the result" />
          <a href={buildDownloadAddress(source)} download className={DOWNLOAD}>
            <Download aria-hidden size={14} />
            Download
          </a>
        </span>
      }
    />
  );
}

const DOWNLOAD =
  "inline-flex h-7 items-center gap-1.5 rounded px-2 text-xs font-medium hover:bg-sunken pointer-coarse:min-h-11";

const LOADING = (
  <Loading what="the result">
    <Skeleton className="h-40" />
  </Loading>
);

/** Choose how two results are compared: as both are read. */
function chooseDiff(...both: InspectedResult[]) {
  if (both.every(({ views }) => views.includes("markdown"))) return "markdown";
  return both.every(({ isJson }) => isJson) ? "json" : "text";
}

/**
 * Choose the view that shows a quote: the one that is open if it can; else the text or, when it is found only in the
 * stored result, that.
 */
function chooseViewFor(quote: Quote, open: Shown | "diff", inspected: InspectedResult, value: unknown): Shown {
  const { views, text } = inspected;
  const isStored = typeof value === "string";
  if (open === "fields" && findLeafPlaces(value, quote).length > 0) return open;
  if (open === "markdown" && findRenderedRanges(text, quote.text).length > 0) return open;
  if ((open === "json" || open === "table") && findLeafPlaces(value, quote).length > 0) return open;
  const isInText = views.includes("text") && (isStored || findRanges(text, quote.text).length > 0);
  if (isInText) return "text";
  if (!isStored && (quote.spans ?? []).length > 0) return "stored";
  return views.includes("text") ? "text" : "json";
}

type ContentProps = {
  view: View;
  looked: InspectedResult;
  value: unknown;
  quotes: readonly Quote[];
  focus: Focus | null;
  source: Source;
};

function Content({ view, looked, value, quotes, focus, source }: ContentProps) {
  const parts = useMemo(() => listPartsOf(view, looked, value), [view, looked, value]);
  switch (view) {
    case "text":
      return <TextView text={looked.text} quotes={quotes} focus={focus} />;
    case "markdown":
    case "fields":
      return (
        <Suspense fallback={LOADING}>
          <DocumentView parts={parts} quotes={quotes} focus={focus} />
        </Suspense>
      );
    case "html":
      return <HtmlFrame address={buildHtmlAddress(source)} name={`${source.jobId}-${source.version}`} />;
    case "table":
      return <TableView rows={looked.rows ?? []} quotes={quotes} focus={focus} />;
    case "image":
      return <img src={looked.image} alt="The result" className="max-h-full max-w-full" />;
    case "json":
      return <JsonTree value={value} label="Result as JSON" quotes={quotes} focus={focus} isFilling />;
  }
}

function listPartsOf(view: View, { text }: InspectedResult, value: unknown): Part[] {
  if (view === "markdown") return [{ kind: "document", source: { kind: "markdown", text } }];
  return view === "fields" ? listParts(value as Record<string, unknown>) : [];
}
