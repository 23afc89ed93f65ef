import { useRef } from "react";

/** A dialog that no button of its own opens gives the focus back to what had it before, or to the page where that is gone. */
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
