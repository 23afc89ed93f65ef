import { useEffect } from "react";
import { isolateText } from "./isolate-text";

/** What the tab is called while this is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${isolateText(title)} · Signoff`;
    return () => {
      document.title = "Signoff";
    };
  }, [title]);
}
