import { useEffect, useState } from "react";

const GATHERED_MS = 500;
/** Text, or a function that returns it when it is read. */
type Text = string | (() => string);
type Listener = (text: Text) => void;
const listeners = new Set<Listener>();

/** Announce a text to screen readers. */
export function announce(text: Text): void {
  for (const listener of listeners) listener(text);
}

/** The page's one polite live region; of several texts within GATHERED_MS, the last is read. */
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
