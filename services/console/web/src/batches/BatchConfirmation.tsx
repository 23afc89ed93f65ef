import { useState } from "react";
import type { toApiError } from "@/api/problem";
import type { Operation } from "@/api/types";
import { pluralize } from "@/lib/format";
import { Field, TextArea } from "@/ui/controls/field";
import { ErrorState } from "@/ui/display/states";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { countAtRest, nameAction } from "./batch-state";

type BatchConfirmationProps = {
  action: "cancel" | "retry";
  batch: Operation;
  isPending: boolean;
  error: ReturnType<typeof toApiError> | null;
  onConfirm: (reason?: string) => void;
  onClose: () => void;
};

/** Dialog that asks before a batch is cancelled, or what failed of it is executed again, and says what that does. */
export function BatchConfirmation({ action, batch, isPending, error, onConfirm, onClose }: BatchConfirmationProps) {
  const [reason, setReason] = useState("");
  const verb = action === "cancel" ? nameAction(action, batch) : "Execute again what failed";
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`${verb}?`}
      verb={verb}
      kind={action === "cancel" ? "danger" : "primary"}
      isPending={isPending}
      onConfirm={() => onConfirm(reason || undefined)}
      fields={
        <>
          {action === "cancel" && (
            <Field label="Reason" hint="Optional; recorded in the history of each job.">
              {(control) => (
                <TextArea {...control} value={reason} onChange={(event) => setReason(event.target.value)} />
              )}
            </Field>
          )}
          {error && <ErrorState title={error.title} detail={error.detail} code={error.code} />}
        </>
      }
    >
      <p>{describeEffect(action, batch)}</p>
    </AlertDialog>
  );
}

function describeEffect(action: "cancel" | "retry", batch: Operation): string {
  if (action === "retry") {
    const most = pluralize(batch.counts.FAILED ?? 0, "job"); // what was executed since does not stand there any more
    return `What failed and still stands there is executed again at once, as a new batch: ${most} at most. This batch stays as it is.`;
  }
  const left = pluralize(batch.total - countAtRest(batch), "job");
  return `Nothing more of it begins, and what is under way is cancelled: ${left} in all. Existing results stay.`;
}
