import { useSyncExternalStore } from "react";

/** Choices kept in localStorage. When it is full or forbidden, they last until the page is closed. */
const PREFIX = "signoff.";
const listeners = new Set<() => void>();
const cache = new Map<string, { text: string | null; value: unknown }>();
const unsaved = new Map<string, string>();

function readText(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key) ?? unsaved.get(key) ?? null;
  } catch {
    return unsaved.get(key) ?? null;
  }
}

function readChoice<T>(key: string, fallback: T): T {
  const text = readText(key);
  const known = cache.get(key);
  if (known && known.text === text) return known.value as T;
  let value: unknown = fallback;
  try {
    if (text !== null) value = JSON.parse(text);
  } catch {
    value = fallback;
  }
  cache.set(key, { text, value });
  return value as T;
}

function writeChoice<T>(key: string, value: T): void {
  const text = JSON.stringify(value);
  try {
    localStorage.setItem(PREFIX + key, text);
  } catch {
    unsaved.set(key, text);
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}

/** Return a stored choice and its setter; `fallback` must be the same object each time. */
export function useStoredChoice<T>(key: string, fallback: T): [T, (value: T) => void] {
  const value = useSyncExternalStore(subscribe, () => readChoice(key, fallback));
  return [value, (next) => writeChoice(key, next)];
}
