import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { holdKeys } from "@/api/holds";
import { ProblemState } from "@/api/ProblemState";
import type { Hold } from "@/api/types";
import { Field, TextArea } from "@/ui/controls/field";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { HeldBy } from "./HeldBy";

type HoldDialogProps = {
  jobId: string;
  title?: string;
  /** The hold that is released; without one, the job is held. */
  hold?: Hold;
  onClose: () => void;
};

/** Dialog that keeps a job from being removed, or lets it go again. */
export default function HoldDialog({ jobId, title, hold, onClose }: HoldDialogProps) {
  const [reason, setReason] = useState("");
  const client = useQueryClient();
  const path = { job_id: jobId };
  const change = useMutation<unknown>({
    mutationKey: ["holds", jobId],
    mutationFn: () =>
      hold
        ? api.delete("/api/jobs/{job_id}/hold", { path })
        : api.put("/api/jobs/{job_id}/hold", { path, body: { reason: reason.trim() || null } }),
    onSettled: () => Promise.all([holdKeys.all, ["kept"]].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={hold ? "Release this job?" : "Hold this job?"}
      verb={hold ? "Release" : "Hold"}
      isPending={change.isPending}
      onConfirm={() => change.mutate(undefined, { onSuccess: onClose })}
      fields={
        <>
          {!hold && (
            <Field label="Reason" hint="Optional; shown where it keeps the job from being removed.">
              {(control) => (
                <TextArea {...control} value={reason} onChange={(event) => setReason(event.target.value)} />
              )}
            </Field>
          )}
          <ProblemState error={change.error} />
        </>
      }
    >
      <p dir="auto" className="font-medium wrap-anywhere">
        {title ?? jobId}
      </p>
      {hold ? (
        <p className="text-muted">
          It is held <HeldBy hold={hold} />. Once released, it goes when its retention says so.
        </p>
      ) : (
        <p className="text-muted">Neither a retention nor anybody removes it until it is released.</p>
      )}
    </AlertDialog>
  );
}
