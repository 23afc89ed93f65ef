import { useEffect } from "react";
import { isolateText } from "./isolate-text";

/** Set the title of the tab while the component is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${isolateText(title)} · Signoff`;
    return () => {
      document.title = "Signoff";
    };
  }, [title]);
}
