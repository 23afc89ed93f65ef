import { useEffect, useRef } from "react";
import { tinykeys } from "tinykeys";
import { useStoredChoice } from "./stored-choice";

type Bindings = Record<string, (event: KeyboardEvent) => void>;

const ON = true;
const FIELDS = "input, textarea, select, [contenteditable], [role=menu], [role=dialog], [role=alertdialog]";
/** Keys that a focused control handles itself. */
const OWN_KEYS = /^(Enter| |Arrow.*|Home|End|Page.*)$/;
const CONTROLS = "a, button, input, summary, [role=button], [role=tab], [role=link]";

export function useSingleKeyShortcuts(): [boolean, (on: boolean) => void] {
  return useStoredChoice("single-keys", ON);
}

/** Bind single-key shortcuts; off while typing, in a dialog, or when disabled in the settings (WCAG 2.1.4). */
export function useShortcuts(bindings: Bindings): void {
  const [isOn] = useSingleKeyShortcuts();
  const latest = useRef(bindings);
  useEffect(() => {
    latest.current = bindings;
  });
  const names = Object.keys(bindings).join("\n");
  useEffect(() => {
    if (!isOn) return;
    const listeners = names
      .split("\n")
      .map((name) => [name, (event: KeyboardEvent) => runShortcut(event, latest.current[name])]);
    return tinykeys(window, Object.fromEntries(listeners), { ignore: isIgnored });
  }, [isOn, names]);
}

/** Whether to ignore a key: a repeated one acts only on the keys that move along rows. */
function isIgnored({ isComposing, repeat, key, target }: KeyboardEvent): boolean {
  return isComposing || (repeat && !(/^[jk]$/.test(key) && target instanceof Element && target.matches("[data-row]")));
}

function runShortcut(event: KeyboardEvent, act: ((event: KeyboardEvent) => void) | undefined): void {
  if (!act || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target instanceof Element && !event.target.matches("[data-row]") ? event.target : null;
  const isTyped = target?.closest(FIELDS) && !target.matches("table [type=checkbox]");
  if (isTyped || (OWN_KEYS.test(event.key) && target?.closest(CONTROLS))) return;
  if (document.querySelector("[role=dialog], [role=alertdialog]")) return;
  event.preventDefault();
  act(event);
}
