import { useEffect, useState } from "react";

const GATHERED_MS = 500;
/** A text, or how to find it when it is time to read it. */
type Text = string | (() => string);
type Listener = (text: Text) => void;
const listeners = new Set<Listener>();

/** Tell those who hear the page what those who see it see. */
export function announce(text: Text): void {
  for (const listener of listeners) listener(text);
}

/** The one polite region of the page; the last of several words in a row is read. */
export function Announcer() {
  const [text, setText] = useState("");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listener: Listener = (next) => {
      clearTimeout(timer);
      timer = setTimeout(() => setText(next), GATHERED_MS);
    };
    listeners.add(listener);
    return () => {
      clearTimeout(timer);
      listeners.delete(listener);
    };
  }, []);
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {text}
    </div>
  );
}
