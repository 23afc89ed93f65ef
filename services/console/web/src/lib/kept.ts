import { useEffect, useRef, useState } from "react";
import type { FieldValues, UseFormReturn } from "react-hook-form";
import { parseJson, stringifyJson } from "./exact-json";

/** State that outlives a reload which the page does by itself, by the address and a name; a visitor's own forgets it. */
const readers = new Map<string, () => unknown>();

/** Store all state that is to outlive a reload. */
export function keepAll(): void {
  for (const [key, read] of readers) sessionStorage.setItem(key, stringifyJson(read()));
}

/** Return what was kept under a name, once; and keep what `read` returns from now on. */
function useKept<T>(name: string | undefined, read: () => T): T | undefined {
  const key = name === undefined ? undefined : `signoff.kept ${location.pathname} ${name}`;
  const [kept] = useState(() => {
    const text = key === undefined ? null : sessionStorage.getItem(key);
    return text === null ? undefined : (parseJson(text) as T);
  });
  const latest = useRef(read);
  useEffect(() => {
    latest.current = read;
  });
  useEffect(() => {
    if (key === undefined) return;
    sessionStorage.removeItem(key);
    readers.set(key, () => latest.current());
    return () => void readers.delete(key);
  }, [key]);
  return kept;
}

/** Hold state as `useState` does, and keep it under a name that is unique on its page; without one, keep nothing. */
export function useKeptState<T>(name: string | undefined, initial: T | (() => T)) {
  const kept = useKept(name, (): T => state);
  const [state, setState] = useState<T>(kept === undefined ? initial : () => kept);
  return [state, setState] as const;
}

/** Keep what is filled into a form. */
export function useKeptForm<Values extends FieldValues>(name: string, form: UseFormReturn<Values>): void {
  const { reset, getValues } = form;
  const kept = useKept(name, () => getValues());
  useEffect(() => {
    if (kept !== undefined) reset(kept, { keepDefaultValues: true });
  }, [kept, reset]);
}
