import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useKeptState } from "@/lib/kept";

const PAUSE_MS = 250;

type Draft = {
  /** Under which a text that is being typed is kept. */
  name?: string;
  value: string;
  onCommit: (text: string) => void;
  /** Explains why a text is not valid; null when it is. */
  check?: (text: string) => string | null;
  /** Whether a text takes no effect while it is typed, but as a whole: on Enter and on blur. */
  isWhole?: (text: string) => boolean;
};

/**
 * State of a text field that commits after a pause in typing, on Enter and on blur. A text being typed is not
 * overwritten; else the field follows `value`.
 */
export function useDraft({ name, value, onCommit, check = () => null, isWhole = () => false }: Draft) {
  const [draft, setDraft] = useKeptState<string | null>(name, null);
  const [isRefused, setRefused] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const sent = useRef(value);
  const latest = useRef(onCommit);
  // Before any key can be pressed: an effect might still wait.
  useLayoutEffect(() => {
    latest.current = onCommit;
  });
  const stop = () => {
    clearTimeout(timer.current);
    timer.current = undefined;
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (timer.current !== undefined || value.trim() === sent.current.trim()) return;
    sent.current = value;
    setDraft(null);
    setRefused(false);
  }, [value, setDraft]);
  const commit = (text: string): boolean => {
    stop();
    const reason = check(text);
    setRefused(reason !== null);
    if (reason !== null) return false;
    if (text !== sent.current) {
      sent.current = text;
      latest.current(text);
    }
    return true;
  };
  const error = isRefused && draft !== null ? check(draft) : null;
  // It was refused because of another field, which has changed since.
  useEffect(() => {
    if (isRefused && draft !== null && error === null && timer.current === undefined) commit(draft);
  });
  return {
    text: draft ?? value,
    isTyping: draft !== null,
    error,
    onChange: (text: string) => {
      setDraft(text);
      stop();
      if (isWhole(text)) setRefused(false);
      else timer.current = setTimeout(() => commit(text), PAUSE_MS);
    },
    /** Show `text` from now on, as if it had been committed. */
    reset: (text: string) => {
      sent.current = text;
      setDraft(null);
      setRefused(false);
    },
    onBlur: () => {
      if (draft !== null && commit(draft)) setDraft(null);
    },
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "Enter" && draft !== null) commit(draft);
    },
  };
}
