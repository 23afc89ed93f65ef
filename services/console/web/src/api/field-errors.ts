import { toApiError } from "./problem";

type SetError = (field: never, error: { type: string; message: string }, options?: { shouldFocus: boolean }) => void;

/** The server's words at the fields that they are about; a part of a field (`labels.team`) counts as the field. */
export function showFieldErrors(error: Error, known: readonly string[], setError: SetError): void {
  let isFirst = true;
  for (const { field, message } of toApiError(error).fields) {
    const at = findField(field, known);
    if (at === undefined) continue;
    setError(at as never, { type: "server", message }, { shouldFocus: isFirst });
    isFirst = false;
  }
}

/** The longest known name that a server's field is, or lies in. */
export function findField(field: string, known: readonly string[]): string | undefined {
  return known
    .filter((name) => field === name || field.startsWith(`${name}.`))
    .toSorted((a, b) => b.length - a.length)[0];
}
