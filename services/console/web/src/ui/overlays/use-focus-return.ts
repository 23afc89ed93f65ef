import { useRef } from "react";

/** Return the focus, when a dialog without a trigger closes, to what had it before; to the page when that is gone. */
export function useFocusReturn() {
  const before = useRef<Element | null>(null);
  return {
    onOpenAutoFocus: () => {
      before.current = document.activeElement;
    },
    onCloseAutoFocus: (event: Event) => {
      const had = before.current;
      const isThere = had instanceof HTMLElement && had !== document.body && had.isConnected;
      event.preventDefault();
      (isThere ? had : document.getElementById("main"))?.focus();
    },
  };
}
