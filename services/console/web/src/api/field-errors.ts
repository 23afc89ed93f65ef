import { toApiError } from "./problem";

type SetError = (field: never, error: { type: string; message: string }, options?: { shouldFocus: boolean }) => void;

/**
 * Show the server's validation errors at the fields of a form; a part of a field (`labels.team`) counts as the field.
 */
export function showFieldErrors(error: Error, fieldNames: readonly string[], setError: SetError): void {
  let isFirst = true;
  for (const { field, message } of toApiError(error).fields) {
    const at = findField(field, fieldNames);
    if (at === undefined) continue;
    setError(at as never, { type: "server", message }, { shouldFocus: isFirst });
    isFirst = false;
  }
}

/** Find the form field that a server's field name is, or lies in: the longest known name. */
export function findField(field: string, known: readonly string[]): string | undefined {
  return known
    .filter((name) => field === name || field.startsWith(`${name}.`))
    .toSorted((a, b) => b.length - a.length)[0];
}
