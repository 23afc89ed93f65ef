import { isBranch, stringifyJson } from "@/lib/exact-json";
import { MARKDOWN_MAX_CHARS, TABLE_COLUMNS_MAX } from "./limits";

export type View = "text" | "markdown" | "fields" | "html" | "table" | "image" | "json";
export type Row = Record<string, unknown>;

export type InspectedResult = {
  /** Views that make sense, best first. */
  views: View[];
  /** Text in which quotes are found, and which is compared. */
  text: string;
  /** Whether the text is JSON, and not what somebody wrote. */
  isJson?: boolean;
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
  if (image) return { views: ["image", "json"], text: stringifyJson(value, 2), isJson: true, image };
  if (typeof value === "string") {
    return { views: HTML.test(value) ? [...textViews(value), "html"] : textViews(value), text: value };
  }
  const inner = findMainText(value);
  if (inner !== undefined) return { views: [...textViews(inner), "json"], text: inner };
  const text = stringifyJson(value, 2);
  const rows = toRows(isRow(value) && Object.keys(value).length === 1 ? Object.values(value)[0] : value);
  if (rows) return { views: ["table", "json", "text"], text, isJson: true, rows };
  return {
    views: isRow(value) && Object.keys(value).length > 0 ? ["fields", "json", "text"] : ["json", "text"],
    text,
    isJson: true,
  };
}

function textViews(text: string): View[] {
  return isMarkdown(text) ? ["markdown", "text"] : ["text"];
}

/** Whether a text looks like Markdown, and is short enough to be parsed. */
export function isMarkdown(text: string): boolean {
  return text.length <= MARKDOWN_MAX_CHARS && MARKDOWN.test(text);
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

export function toImage(value: unknown): string | undefined {
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

const isRow = (value: unknown): value is Row => isBranch(value) && !Array.isArray(value);

/** Return the rows of a list of objects. */
export function toRows(value: unknown): Row[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isRow)) return undefined;
  return listColumns(value).length <= TABLE_COLUMNS_MAX ? value : undefined;
}

export function listColumns(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}
