import { useSyncExternalStore } from "react";
import { type LiveView, liveStatus } from "./live-status";
import { unseenJobs } from "./unseen-jobs";

export function useLive(): LiveView {
  return useSyncExternalStore(liveStatus.subscribe, liveStatus.get);
}

/** Return the ids of jobs created since the list was read. */
export function useUnseen(): ReadonlySet<string> {
  return useSyncExternalStore(unseenJobs.subscribe, unseenJobs.get);
}
