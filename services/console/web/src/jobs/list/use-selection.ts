import { useState } from "react";
import type { Job } from "@/api/types";

/** Which jobs are selected, by id: no refetch and no sorting changes it. */
export function useSelection(jobs: readonly Job[]) {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const select = (changed: string[], on: boolean) => {
    const next = new Set(ids);
    for (const id of changed) {
      if (on) next.add(id);
      else next.delete(id);
    }
    setIds(next);
  };
  return {
    ids,
    jobs: jobs.filter((job) => ids.has(job.id)),
    select,
    toggle: (id: string) => select([id], !ids.has(id)),
    clear: () => setIds(new Set()),
  };
}
