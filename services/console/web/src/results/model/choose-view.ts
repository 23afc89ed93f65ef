import { findRanges, findRenderedRanges, type Quote } from "./evidence";
import { type InspectedResult, inspectResult, type View } from "./inspect-result";
import { findLeafPlaces } from "./leaf-places";

/** View of a result as the page shows it: one by its kind, as it is stored, or its difference from another. */
export type Shown = View | "stored" | "diff";

/** List the views of a result, best first; that of its difference only where there is another. */
export function listViews(value: unknown, { views }: InspectedResult, isCompared: boolean): Shown[] {
  // What is stored is a string's own text.
  return [
    ...views,
    ...(typeof value === "string" ? [] : ["stored" as const]),
    ...(isCompared ? ["diff" as const] : []),
  ];
}

/** Choose the view that shows a quote: the one that is open if it can; else the text or, when it is found only there, what is stored. */
export function chooseView(value: unknown, quote: Quote, open?: Shown): Shown {
  const { views, text } = inspectResult(value);
  const isStored = typeof value === "string";
  const now = open ?? views[0];
  if (now === "markdown" && findRenderedRanges(text, quote.text).length > 0) return now;
  const isOfLeaves = now === "fields" || now === "json" || now === "table";
  if (isOfLeaves && findLeafPlaces(value, quote).length > 0) return now;
  const isInText = views.includes("text") && (isStored || findRanges(text, quote.text).length > 0);
  if (isInText) return "text";
  if (!isStored && (quote.spans ?? []).length > 0) return "stored";
  return views.includes("text") ? "text" : "json";
}
