import { useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import { toApiError } from "@/api/problem";
import { Field, TextArea } from "@/ui/controls/field";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { usePromote, useRetire } from "./mutations";

type PromoteDialogProps = { name: string; version: number; onClose: () => void };

/** Dialog that makes a version current; where something speaks against it, with a reason that is kept. */
export function PromoteDialog({ name, version, onClose }: PromoteDialogProps) {
  const promote = usePromote();
  const [reason, setReason] = useState("");
  const [isForced, force] = useState(false);
  const why = reason.trim();
  const confirm = () =>
    promote.mutate(
      { name, version, ...(isForced && { force_reason: why }) },
      { onSuccess: onClose, onError: (error) => force(isForced || isRefusal(error)) },
    );
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Judge by version ${version} of ${name}?`}
      verb={isForced ? "Promote all the same" : "Promote"}
      kind={isForced ? "danger" : "primary"}
      isPending={promote.isPending}
      isReady={!isForced || why !== ""}
      onConfirm={confirm}
      fields={
        <>
          <ProblemState error={promote.error} />
          {isForced && (
            <Field label="Why all the same" hint="It is kept with the version, and with who promoted it.">
              {(control) => (
                <TextArea
                  {...control}
                  maxLength={1_000}
                  value={reason}
                  onChange={(event) => setReason(event.target.value)}
                />
              )}
            </Field>
          )}
        </>
      }
    >
      <p>New executions are judged by it from now on. What was requested before is judged as it was then.</p>
      <p className="text-muted">Where the policy has a golden set, the version must have passed it.</p>
    </AlertDialog>
  );
}

/** Whether the service refuses it as things stand, so that a reason may help. */
function isRefusal(error: Error): boolean {
  const { status } = toApiError(error);
  return status === 409 || status === 412;
}

/** Dialog that retires a policy. */
export function RetireDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const retire = useRetire();
  const [reason, setReason] = useState("");
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Retire ${name}?`}
      verb="Retire"
      kind="danger"
      isPending={retire.isPending}
      onConfirm={() => retire.mutate({ name, reason: reason.trim() || undefined }, { onSuccess: onClose })}
      fields={
        <>
          <Field label="Reason" hint="Optional.">
            {(control) => (
              <TextArea
                {...control}
                maxLength={1_000}
                value={reason}
                onChange={(event) => setReason(event.target.value)}
              />
            )}
          </Field>
          <ProblemState error={retire.error} />
        </>
      }
    >
      <p>
        No new execution is judged by it: jobs that name it are refused. Its versions stay, and promoting one brings it
        back.
      </p>
    </AlertDialog>
  );
}
