/** Number of a JSON text that a double would round: 64-bit ids and 30-digit amounts stay as they were written. */
export class ExactNumber {
  constructor(readonly source: string) {}
  toString(): string {
    return this.source;
  }
}

/** Whether a value is an object or a list: has children. */
export const isBranch = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !(value instanceof ExactNumber);

type Context = { source?: string };
type Reviver = (this: unknown, key: string, value: unknown, context: Context) => unknown;
const rawJSON = (JSON as unknown as { rawJSON?: (source: string) => unknown }).rawJSON;

const keep: Reviver = (_key, value, context) =>
  typeof value === "number" && context?.source !== undefined && !isExact(value, context.source)
    ? new ExactNumber(context.source)
    : value;

function isExact(value: number, source: string): boolean {
  return Number.isFinite(value) && digits(source) === digits(value.toExponential());
}

function digits(number: string): string {
  const [mantissa = ""] = number.toLowerCase().split("e");
  return mantissa.replace(/[-+.]/g, "").replace(/^0+/, "").replace(/0+$/, "");
}

export function parseJson(text: string): unknown {
  return JSON.parse(text, keep as (this: unknown, key: string, value: unknown) => unknown);
}

/** Explain why a text is not JSON, and where; undefined when it is, or is empty. */
export function explainInvalidJson(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    parseJson(text);
    return undefined;
  } catch (error) {
    return `This is not JSON: ${(error as Error).message}`;
  }
}

/** Write JSON; numbers that were read keep their digits. */
export function stringifyJson(value: unknown, indent?: number): string {
  const replace = (_key: string, inner: unknown) =>
    inner instanceof ExactNumber ? (rawJSON?.(inner.source) ?? Number(inner.source)) : inner;
  return JSON.stringify(value, replace, indent) ?? "null";
}
