import { ExactNumber, stringifyJson } from "@/lib/exact-json";
import { isMarkdown, type Row, toImage, toRows } from "./inspect-result";
import { FACT_CHARS_MAX, FIELDS_MAX } from "./limits";

/** Text of a result, and how it is read. */
export type DocumentText = { kind: "markdown" | "code" | "text"; text: string; language?: string };

/** Part of the page of a result: a text, or a field with what it holds. */
export type Part =
  | { kind: "document"; source: DocumentText }
  | { kind: "name"; name: string }
  | { kind: "facts"; facts: [name: string, value: string][] }
  | { kind: "image"; image: string; name: string }
  | { kind: "table"; rows: Row[]; name: string }
  | { kind: "tree"; value: unknown; name: string };

const CODE = /^(code|source|source_code|script|snippet|query|sql|json|yaml|html|css|diff|patch)$/i;
const LANGUAGES = ["sql", "json", "yaml", "html", "css", "diff", "patch"];
const LANGUAGE = /^(language|lang|syntax)$/i;

/** List the parts of an object, in the order of its fields; short values stand together. */
export function listParts(fields: Record<string, unknown>): Part[] {
  const parts: Part[] = [];
  const entries = Object.entries(fields);
  const language = entries.find(([name, value]) => LANGUAGE.test(name) && typeof value === "string")?.[1] as string;
  for (const [name, value] of entries.slice(0, FIELDS_MAX)) {
    const fact = toFact(value);
    const last = parts.at(-1);
    if (fact === undefined) parts.push({ kind: "name", name }, toPart(name, value, language));
    else if (last?.kind === "facts") last.facts.push([name, fact]);
    else parts.push({ kind: "facts", facts: [[name, fact]] });
  }
  const left = entries.slice(FIELDS_MAX);
  if (left.length > 0) {
    const name = `${left.length} more fields`;
    parts.push({ kind: "name", name }, { kind: "tree", value: Object.fromEntries(left), name });
  }
  return parts;
}

/** Write a value that fits on a line. */
function toFact(value: unknown): string | undefined {
  if (toImage(value)) return undefined;
  if (typeof value === "string") return value.length <= FACT_CHARS_MAX && !/[\r\n]/.test(value) ? value : undefined;
  if (value === null || value instanceof ExactNumber || typeof value !== "object") return stringifyJson(value);
  return Object.keys(value).length === 0 ? stringifyJson(value) : undefined;
}

function toPart(name: string, value: unknown, language: string | undefined): Part {
  const image = toImage(value);
  if (image) return { kind: "image", image, name };
  if (typeof value === "string") return { kind: "document", source: toSource(name, value, language) };
  const rows = toRows(value);
  return rows ? { kind: "table", rows, name } : { kind: "tree", value, name };
}

function toSource(name: string, text: string, language: string | undefined): DocumentText {
  const own = name.toLowerCase();
  if (CODE.test(name)) return { kind: "code", text, language: LANGUAGES.includes(own) ? own : language };
  return { kind: isMarkdown(text) ? "markdown" : "text", text };
}
