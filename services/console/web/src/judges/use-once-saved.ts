import { useEffect, useRef } from "react";

/** Do something once a version was saved: after the form no longer holds back whoever leaves it. */
export function useOnceSaved(version: number | undefined, act: (version: number) => void): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    if (version !== undefined) latest.current(version);
  }, [version]);
}
