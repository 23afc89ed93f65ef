import { useQueryClient } from "@tanstack/react-query";
import { loadPart } from "@/lib/load-part";
import type { Remedy } from "./describe-group";
import { inboxKeys, noteAct } from "./queries";
import { useAct } from "./use-act";

/** Does what a group needs for all of it. */
export function useRemedy() {
  const client = useQueryClient();
  return useAct(async (remedy: Remedy) => {
    try {
      await (await loadPart(() => import("./send-remedy"))).sendRemedy(remedy);
    } finally {
      noteAct();
      for (const queryKey of [inboxKeys.all, ["agents"], ["limits"], ["batches"]])
        void client.invalidateQueries({ queryKey });
    }
  });
}
