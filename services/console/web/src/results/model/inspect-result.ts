import { stringifyJson } from "@/lib/exact-json";
import { MARKDOWN_DEPTH_MAX, MARKDOWN_MARKS_MAX, MARKDOWN_MAX_CHARS, TABLE_COLUMNS_MAX } from "./limits";

export type View = "text" | "markdown" | "html" | "table" | "image" | "json";
export type Row = Record<string, unknown>;

export type InspectedResult = {
  /** Views that make sense, best first. */
  views: View[];
  /** Text in which quotes are found, and which is compared. */
  text: string;
  rows?: Row[];
  /** A data: address; never one that the browser would fetch. */
  image?: string;
};

const TEXT_KEYS = ["text", "markdown", "content", "output", "answer"];
const IMAGE = /^data:image\/(png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=\s]+$/;
const IMAGE_TYPE = /^image\/(png|jpeg|gif|webp|avif)$/;
const HTML =
  /^\s*(<!--[\s\S]*?-->\s*)?<(!doctype html|html|head|body|main|article|section|div|p|table|ul|ol|h[1-6]|style)[\s>]/i;
const MARKDOWN = /^(#{1,6} |[-*+] |\d+\. |> |```|\|.+\|)|\*\*[^*]+\*\*|\[[^[\]]+\]\([^()]+\)/m;

/** Find out what a result is by its content alone; what an agent says of it is only a claim. */
export function inspectResult(value: unknown): InspectedResult {
  const image = toImage(value);
  if (image) return { views: ["image", "json"], text: stringifyJson(value, 2), image };
  if (typeof value === "string") {
    return { views: HTML.test(value) ? [...textViews(value), "html"] : textViews(value), text: value };
  }
  const inner = findMainText(value);
  if (inner !== undefined) return { views: [...textViews(inner), "json"], text: inner };
  const text = stringifyJson(value, 2);
  const rows = toRows(value);
  if (rows) return { views: ["table", "json", "text"], text, rows };
  return { views: ["json", "text"], text };
}

function textViews(text: string): View[] {
  return isRenderable(text) && MARKDOWN.test(text) ? ["markdown", "text"] : ["text"];
}

/**
 * Whether Markdown can be parsed: deeply nested quotes and lists would overflow the parser's stack, and its time grows
 * with the square of the marks that may belong together.
 */
function isRenderable(text: string): boolean {
  if (text.length > MARKDOWN_MAX_CHARS || (text.match(/[[\]*_~]/g)?.length ?? 0) > MARKDOWN_MARKS_MAX) return false;
  return !text.split("\n").some((line) => (line.match(/^[>\s*+-]*/)?.[0].length ?? 0) > MARKDOWN_DEPTH_MAX);
}

/** Find the text of an object that has one field, a text. */
function findMainText(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  const [entry] = entries;
  if (entries.length !== 1 || !entry) return undefined;
  const [key, text] = entry;
  return TEXT_KEYS.includes(key) && typeof text === "string" ? text : undefined;
}

function toImage(value: unknown): string | undefined {
  if (typeof value === "string") return IMAGE.test(value) ? value : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  const object = value as Record<string, unknown>;
  const type = object.content_type ?? object.mime_type ?? object.media_type;
  const data = object.data ?? object.base64 ?? object.image;
  if (typeof data !== "string") return undefined;
  if (IMAGE.test(data)) return data;
  if (typeof type !== "string" || !IMAGE_TYPE.test(type)) return undefined;
  const address = `data:${type};base64,${data}`;
  return IMAGE.test(address) ? address : undefined;
}

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);

function toRows(value: unknown): Row[] | undefined {
  const list = Array.isArray(value) ? value : isRow(value) ? Object.values(value)[0] : undefined;
  const isAlone = Array.isArray(value) || (isRow(value) && Object.keys(value).length === 1);
  if (!isAlone || !Array.isArray(list) || list.length === 0 || !list.every(isRow)) return undefined;
  return listColumns(list).length <= TABLE_COLUMNS_MAX ? list : undefined;
}

export function listColumns(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}
