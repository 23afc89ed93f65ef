import { Download } from "lucide-react";
import { lazy, Suspense, useMemo } from "react";
import { loadPart } from "@/lib/load-part";
import { listViews, type Shown } from "@/results/model/choose-view";
import { type Focus, keepInHand, type Quote } from "@/results/model/evidence";
import { type InspectedResult, inspectResult, type View } from "@/results/model/inspect-result";
import { listParts, type Part } from "@/results/model/list-parts";
import { buildDownloadAddress, buildHtmlAddress, type Source } from "@/results/model/source";
import { DocumentView } from "@/results/views/DocumentView";
import { HtmlFrame } from "@/results/views/HtmlFrame";
import { JsonTree } from "@/results/views/JsonTree";
import { StoredView } from "@/results/views/StoredView";
import { TableView } from "@/results/views/TableView";
import { TextView } from "@/results/views/TextView";
import { CopyButton } from "@/ui/controls/copy-button";
import { type Tab, Tabs } from "@/ui/controls/tabs";
import { Loading, Skeleton } from "@/ui/display/states";

const DiffView = lazy(() => loadPart(async () => ({ default: (await import("@/results/views/DiffView")).DiffView })));

const LABELS: Record<Exclude<Shown, "diff">, string> = {
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
  /** Log entry that holds it; none of what only the archive has: there is nothing to download, nor to frame. */
  source?: Source;
  /** View that is shown: the best, if none. */
  view?: Shown;
  onView: (view: Shown) => void;
  quotes?: readonly Quote[];
  /** Quote to scroll into view. */
  focus?: Focus | null;
  /** Result to compare with. */
  compared?: { name: string; value: unknown };
};

const NO_QUOTES: readonly Quote[] = [];

/** Preview of a result by its kind, within bounds; downloads are whole. */
export function ResultPreview(props: ResultPreviewProps) {
  const { value, source, view, onView, quotes = NO_QUOTES, focus = null, compared } = props;
  const inspected = useMemo(() => inspectResult(value), [value]);
  // The server's places count in the stored text, which only a string is shown as.
  const isStored = typeof value === "string";
  const inHand = useMemo(() => keepInHand(quotes, focus), [quotes, focus]);
  const own = useMemo(() => (isStored ? inHand : inHand.map(({ id, text }) => ({ id, text }))), [isStored, inHand]);
  const views = listViews(value, inspected, compared !== undefined).filter(
    (each) => source !== undefined || (each !== "stored" && each !== "html"),
  );
  const tabs = views.map((each): Tab<Shown> => {
    if (each === "diff" && compared)
      return {
        value: each,
        label: `Diff with ${compared.name}`,
        content: <Diff inspected={inspected} {...compared} />,
      };
    return {
      value: each,
      label: LABELS[each as Exclude<Shown, "diff">],
      content:
        each === "stored" && source ? (
          <StoredView source={source} quotes={inHand} focus={focus} />
        ) : (
          <Content view={each as View} looked={inspected} value={value} quotes={own} focus={focus} source={source} />
        ),
    };
  });
  return (
    <Tabs
      label="Views of the result"
      tabs={tabs}
      value={views.find((each) => each === view) ?? views[0] ?? "json"}
      onChange={onView}
      aside={
        <span className="flex items-center">
          <CopyButton text={inspected.text} label="Copy the result" />
          {source && (
            <a href={buildDownloadAddress(source)} download className={DOWNLOAD}>
              <Download aria-hidden size={14} />
              Download
            </a>
          )}
        </span>
      }
    />
  );
}

const DOWNLOAD =
  "inline-flex h-7 items-center gap-1.5 rounded px-2 text-xs font-medium hover:bg-sunken pointer-coarse:min-h-11";

function Diff({ inspected, name, value }: { inspected: InspectedResult; name: string; value: unknown }) {
  const before = useMemo(() => inspectResult(value), [value]);
  return (
    <Suspense
      fallback={
        <Loading what="the difference">
          <Skeleton className="h-40" />
        </Loading>
      }
    >
      <DiffView
        kind={chooseDiff(before, inspected)}
        before={before.text}
        after={inspected.text}
        beforeName={name}
        afterName="This one"
      />
    </Suspense>
  );
}

/** Choose how two results are compared: as both are read. */
function chooseDiff(...both: InspectedResult[]) {
  if (both.every(({ views }) => views.includes("markdown"))) return "markdown";
  return both.every(({ isJson }) => isJson) ? "json" : "text";
}

type ContentProps = {
  view: View;
  looked: InspectedResult;
  value: unknown;
  quotes: readonly Quote[];
  focus: Focus | null;
  source?: Source;
};

function Content({ view, looked, value, quotes, focus, source }: ContentProps) {
  const parts = useMemo(() => listPartsOf(view, looked, value), [view, looked, value]);
  switch (view) {
    case "text":
      return <TextView text={looked.text} quotes={quotes} focus={focus} />;
    case "markdown":
    case "fields":
      return <DocumentView parts={parts} quotes={quotes} focus={focus} />;
    case "html":
      return source && <HtmlFrame address={buildHtmlAddress(source)} name={`${source.jobId}-${source.version}`} />;
    case "table":
      return <TableView rows={looked.rows ?? []} quotes={quotes} focus={focus} />;
    case "image":
      return <img src={looked.image} alt="The result" className="max-w-full" />;
    case "json":
      return <JsonTree value={value} label="Result as JSON" quotes={quotes} focus={focus} />;
  }
}

function listPartsOf(view: View, { text }: InspectedResult, value: unknown): Part[] {
  if (view === "markdown") return [{ kind: "document", source: { kind: "markdown", text } }];
  return view === "fields" ? listParts(value as Record<string, unknown>) : [];
}
