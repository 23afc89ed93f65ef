import { useEffect, useRef, useState } from "react";
import type { Job } from "@/api/types";
import type { JobsSearch } from "@/jobs/list/filters/jobs-search";
import { forgetOpened, openedLast, recall, rememberList } from "./list-memory";

/** Where one is in the list: found again as it was left, with the focus on the job that was looked at. */
export function usePlace(search: JobsSearch, jobs: readonly Job[]) {
  const [left] = useState(() => recall(search));
  const [current, showCurrent] = useState(left?.current ?? null);
  const [wanted, want] = useState(() => (left ? openedLast() : null));
  const at = useRef(current); // a key that is held down does not wait until all is drawn
  useEffect(forgetOpened, []);
  useEffect(() => rememberList(search, { current }), [search, current]);
  const setCurrent = (id: string) => {
    at.current = id;
    showCurrent(id);
  };
  const step = (by: number) => {
    const place = jobs.findIndex((job) => job.id === at.current) + by;
    const next = jobs[Math.max(0, Math.min(jobs.length - 1, place))];
    if (!next) return;
    setCurrent(next.id);
    want(next.id);
  };
  /** The focus is there, or cannot be; another one may be wanted already. */
  const onFocused = (id: string) => want((now) => (now === id ? null : now));
  return { left, current, setCurrent, step, wanted, onFocused };
}
