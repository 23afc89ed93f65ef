import { useMemo, useRef } from "react";
import type { Job } from "@/api/types";
import { useKeptState } from "@/lib/kept";

const NONE: ReadonlySet<string> = new Set();

/** Selection of jobs by id, so that no refetch and no sorting changes it. */
export function useSelection(jobs: readonly Job[], atFirst: ReadonlySet<string> = NONE) {
  const [list, setIds] = useKeptState<readonly string[]>("selected", () => [...atFirst]);
  const ids: ReadonlySet<string> = useMemo(() => new Set(list), [list]);
  const anchor = useRef<string | null>(null);
  const select = (changed: readonly string[], on: boolean) =>
    setIds((now) => {
      const next = new Set(now);
      for (const id of changed) {
        if (on) next.add(id);
        else next.delete(id);
      }
      return [...next];
    });
  /** Select one job or, with `isRange`, all from the last one chosen to this one. */
  const choose = (id: string, on: boolean, isRange: boolean) => {
    const [from, to] = [anchor.current, id].map((each) => jobs.findIndex((job) => job.id === each)).toSorted(byNumber);
    anchor.current = id;
    if (!isRange || from === undefined || to === undefined || from < 0) return select([id], on);
    select(
      jobs.slice(from, to + 1).map((job) => job.id),
      on,
    );
  };
  return {
    ids,
    jobs: jobs.filter((job) => ids.has(job.id)),
    select,
    choose,
    clear: () => setIds([]),
  };
}

const byNumber = (a: number, b: number) => a - b;
