import { useEffect, useRef, useState } from "react";
import type { Job } from "@/api/types";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { forgetOpened, recallOpened, recallPosition, rememberList } from "./list-memory";

/** Current row of the list, restored as it was left, with the focus on the job that was opened. */
export function useCurrentRow(search: JobsSearch, jobs: readonly Job[]) {
  const [left] = useState(() => recallPosition(search));
  const [current, setCurrentShown] = useState(left?.current ?? null);
  const [wanted, setWanted] = useState(() => (left ? recallOpened() : null));
  const at = useRef(current); // a key that is held down acts before the state is drawn
  useEffect(forgetOpened, []);
  useEffect(() => rememberList(search, { current }), [search, current]);
  const setCurrent = (id: string) => {
    at.current = id;
    setCurrentShown(id);
  };
  const step = (by: number) => {
    const place = jobs.findIndex((job) => job.id === at.current) + by;
    const next = jobs[Math.max(0, Math.min(jobs.length - 1, place))];
    if (!next) return;
    setCurrent(next.id);
    setWanted(next.id);
  };
  /** Called when a row has the focus or cannot get it; another one may be wanted already. */
  const onFocused = (id: string) => setWanted((now) => (now === id ? null : now));
  return { left, current, setCurrent, step, wanted, onFocused };
}
