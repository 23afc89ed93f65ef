import { useMutation, useQueryClient } from "@tanstack/react-query";
import { loadPart } from "@/lib/load-part";
import type { Remedy } from "./describe-group";
import { inboxKeys, noteAct } from "./queries";

/** Does what a group needs for all of it. */
export function useRemedy() {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["inbox", "remedy"],
    mutationFn: (remedy: Remedy): Promise<unknown> =>
      loadPart(() => import("./send-remedy")).then(({ sendRemedy }) => sendRemedy(remedy)),
    onSettled: () => {
      noteAct();
      for (const queryKey of [inboxKeys.all, ["agents"], ["limits"], ["batches"]])
        void client.invalidateQueries({ queryKey });
    },
  });
}
