/** Part of a typed query: `field:value`, `field>value` or a word, with its place in the text. */
export type QueryPart = {
  from: number;
  to: number;
  field?: string;
  operator?: string;
  /** Whether a field has a minus before it. */
  isNegated?: boolean;
  /** Without its quotation marks. */
  value: string;
  /** Whether a quotation mark is not closed. */
  isOpen: boolean;
};

const FIELD = /^(-?)([a-z][a-z_]*)(:|>=|<=|>|<)/i;
const PART = /(?:"(?:\\.|[^"\\])*(?:"|$)|[^\s"])+/g;
const QUOTED = /"((?:\\.|[^"\\])*)("|$)/g;

/** Whether a text is more than words, so that it is applied as a whole, and not while it is typed. */
export const isQuery = (text: string) => /[:<>"]|(^|\s)OR(\s|$)/.test(text);

/** Split a typed query into its parts. */
export function splitQuery(text: string): QueryPart[] {
  return [...text.matchAll(PART)].map((match) => {
    const [raw] = match;
    const [head = "", minus, field, operator] = FIELD.exec(raw) ?? [];
    const rest = raw.slice(head.length);
    const place = { from: match.index, to: match.index + raw.length };
    return { ...place, field, operator, ...(minus && { isNegated: true }), ...unquote(rest) };
  });
}

/** List the words of a typed query, without its fields. */
export const listWords = (text: string) =>
  splitQuery(text)
    .filter(({ field }) => field === undefined)
    .map(({ value }) => value);

function unquote(raw: string): Pick<QueryPart, "value" | "isOpen"> {
  let isOpen = false;
  const value = raw.replace(QUOTED, (_, inner: string, end: string) => {
    isOpen ||= end === "";
    return inner.replace(/\\(.)/g, "$1");
  });
  return { value, isOpen };
}

/** Write a value so that it is read as one. */
export const quoteValue = (value: string) =>
  /^[^\s"\\,]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
