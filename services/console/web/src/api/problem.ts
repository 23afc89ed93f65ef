import type { Problem } from "./types";

export type FieldError = { field: string; message: string };

/** What a status means to people; the server's own title is HTTP's phrase. */
const TITLES: Record<number, string> = {
  400: "The request cannot be read",
  401: "You are not signed in",
  403: "You may not do that",
  404: "It is not there",
  409: "It cannot be done as things stand",
  410: "It was removed",
  412: "It has changed meanwhile",
  413: "It is too large",
  422: "The request is not valid",
  429: "Too much is asked for at once",
  500: "The console failed",
  501: "The jobstore cannot do that",
  503: "It cannot be answered now",
};

/** Fields that an error is about by its code, where the server names none. */
const FIELDS: Record<string, string> = { unknown_tenant: "tenant", tenant_needed: "tenant", id_prefix: "id" };

/** What the server said went wrong (RFC 9457), or that it could not be reached at all. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly fields: FieldError[];
  readonly requestId: string | null;

  constructor(problem: Partial<Problem> & { status: number }) {
    super(problem.detail ?? problem.title ?? `HTTP ${problem.status}`);
    this.status = problem.status;
    this.code = problem.code ?? `http_${problem.status}`;
    this.title = TITLES[problem.status] ?? problem.title ?? "The request failed";
    this.detail = problem.detail ?? "";
    this.requestId = problem.request_id ?? null;
    this.fields = (problem.errors ?? []).map(({ pointer, parameter, message }) => ({
      field: pointer?.replace(/^#\//, "").replaceAll("/", ".") ?? parameter ?? "",
      message,
    }));
    const field = FIELDS[this.code];
    if (field && this.fields.length === 0) this.fields.push({ field, message: this.detail });
  }

  /** Whether the same request may succeed later, as it is. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  get isUnauthenticated(): boolean {
    return this.status === 401;
  }
}

export function unreachableError(): ApiError {
  return new ApiError({
    status: 0,
    code: "unreachable",
    title: "The console cannot be reached",
    detail: "Nothing answered. The network or the console may be down; what was asked for may not have arrived.",
  });
}

/** Turn any error into an ApiError; a bug of the page gets the code `page_error`. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiError({ status: -1, code: "page_error", title: "The page failed", detail });
}

/** Whether the same request may succeed later. */
export const isTransient = (error: unknown): boolean => error instanceof ApiError && error.isTransient;
