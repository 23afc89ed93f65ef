import { learnSkew } from "@/lib/clock";
import { parseJson, stringifyJson } from "@/lib/exact-json";
import { ApiError, unreachableError } from "./problem";
import type { paths } from "./schema";
import type { Problem } from "./types";

type Verb = "get" | "post" | "put" | "patch" | "delete";
type PathsWith<V extends Verb> = {
  [P in keyof paths]: paths[P] extends Record<V, { responses: unknown }> ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, V extends Verb> = paths[P] extends Record<V, infer O> ? O : never;
type Json<T> = T extends { content: { "application/json": infer Body } } ? Body : undefined;
export type Answer<P extends keyof paths, V extends Verb> =
  Operation<P, V> extends { responses: infer R }
    ? Json<R extends { 200: infer Ok } ? Ok : R extends { 201: infer Created } ? Created : never>
    : never;

type Value = string | number | boolean | null | undefined;
export type Options = {
  path?: Record<string, string>;
  query?: Record<string, Value | readonly string[]>;
  body?: unknown;
  /** Names what a repeated request asks for: sending it again with the same key does nothing twice. */
  idempotencyKey?: string;
  /** The version that is edited: where it is no longer the latest, nothing is changed. */
  ifMatch?: number;
  signal?: AbortSignal;
};

/** Build the address of a resource, as a link or a frame takes it. */
export function buildAddress(template: keyof paths, { path = {}, query = {} }: Options): string {
  const address = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ""));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null && item !== "") search.append(name, String(item));
    }
  }
  const text = search.toString();
  return text === "" ? address : `${address}?${text}`;
}

/** Send a request whose types are not checked: JSON in, JSON out; each failure is an ApiError. */
async function send<T>(method: string, template: keyof paths, options: Options = {}): Promise<T> {
  return parseOrUndefined(await fetchText(method, template, options)) as T;
}

/** Send a request and return the text of the response. */
async function fetchText(method: string, template: keyof paths, options: Options): Promise<string> {
  const headers = new Headers({ Accept: "application/json" });
  if (options.body !== undefined) headers.set("Content-Type", "application/json");
  if (options.idempotencyKey) headers.set("Idempotency-Key", options.idempotencyKey);
  if (options.ifMatch !== undefined) headers.set("If-Match", `"${options.ifMatch}"`);
  let response: Response;
  let text: string;
  try {
    response = await fetch(buildAddress(template, options), {
      method,
      headers,
      body: options.body === undefined ? undefined : stringifyJson(options.body),
      credentials: "same-origin",
      signal: options.signal,
    });
    text = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachableError();
  }
  learnSkew(response.headers.get("Date"));
  if (!response.ok) throw toResponseError(response, parseOrUndefined(text));
  return text;
}

function parseOrUndefined(text: string): unknown {
  if (text === "") return undefined;
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function toResponseError(response: Response, value: unknown): ApiError {
  const problem = typeof value === "object" && value !== null ? (value as Partial<Problem>) : {};
  return new ApiError({
    request_id: response.headers.get("X-Request-Id") ?? undefined,
    title: response.statusText || undefined,
    ...problem,
    status: response.status,
  });
}

/** The API by its own paths; what they answer is typed from the OpenAPI document. */
export const api = {
  get: <P extends PathsWith<"get">>(path: P, options?: Options) => send<Answer<P, "get">>("GET", path, options),
  /** Fetch a response as text, without parsing it. */
  text: (path: PathsWith<"get">, options: Options = {}) => fetchText("GET", path, options),
  post: <P extends PathsWith<"post">>(path: P, options?: Options) => send<Answer<P, "post">>("POST", path, options),
  put: <P extends PathsWith<"put">>(path: P, options?: Options) => send<Answer<P, "put">>("PUT", path, options),
  patch: <P extends PathsWith<"patch">>(path: P, options?: Options) => send<Answer<P, "patch">>("PATCH", path, options),
  delete: <P extends PathsWith<"delete">>(path: P, options?: Options) => send<void>("DELETE", path, options),
};
