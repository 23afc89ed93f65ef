import { useEffect } from "react";
import { isolated } from "./isolate-text";

/** What the tab is called while this is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${isolated(title)} · Signoff`;
    return () => {
      document.title = "Signoff";
    };
  }, [title]);
}
