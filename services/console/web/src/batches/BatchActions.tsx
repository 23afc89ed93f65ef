import { useNavigate } from "@tanstack/react-router";
import { CirclePause, CircleSlash, type LucideIcon, Play, RotateCcw } from "lucide-react";
import { useState } from "react";
import { type Change, useRefusal } from "@/api/me";
import { toApiError } from "@/api/problem";
import type { Operation } from "@/api/types";
import { pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { Field, TextArea } from "@/ui/controls/field";
import { ErrorState } from "@/ui/display/states";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { BATCH_ACTIONS, type BatchAction, countAtRest, explainRefusal } from "./batch-state";
import { useBatchAction } from "./mutations";

const LOOK: Record<BatchAction, { verb: string; icon: LucideIcon; title: string; operation: Change }> = {
  pause: { verb: "Pause", icon: CirclePause, title: "Pause this batch?", operation: "pause_operation" },
  resume: { verb: "Resume", icon: Play, title: "Resume this batch?", operation: "resume_operation" },
  cancel: { verb: "Cancel", icon: CircleSlash, title: "Cancel this batch?", operation: "cancel_operation" },
  retry: { verb: "Retry what failed", icon: RotateCcw, title: "Retry what failed?", operation: "retry_operation" },
};

/** Buttons of a batch: pause and resume act at once, cancel and retry ask first. */
export function BatchActions({ batch }: { batch: Operation }) {
  const [asked, ask] = useState<"cancel" | "retry" | null>(null);
  const refuse = useRefusal();
  const [reason, setReason] = useState("");
  const navigate = useNavigate();
  const act = useBatchAction(batch.id);
  const error = act.error ? toApiError(act.error) : null;
  const choose = (action: BatchAction) => {
    act.reset();
    if (action === "cancel" || action === "retry") ask(action);
    else act.mutate({ action });
  };
  const confirm = () => {
    if (!asked) return;
    const onSuccess = (operation: Operation) => {
      ask(null);
      if (asked === "retry") void navigate({ to: "/batches/$id", params: { id: operation.id } });
    };
    act.mutate({ action: asked, reason: reason || undefined }, { onSuccess });
  };
  return (
    <div className="space-y-2">
      <div role="group" aria-label="Actions" className="flex flex-wrap gap-2">
        {BATCH_ACTIONS.map((action) => (
          <Act
            key={action}
            action={action}
            reason={
              act.isPending
                ? "Another action is under way already."
                : (refuse(LOOK[action].operation) ?? explainRefusal(action, batch))
            }
            onClick={() => choose(action)}
          />
        ))}
      </div>
      {error && !asked && <ErrorState title={error.title} detail={error.detail} code={error.code} />}
      {asked && (
        <AlertDialog
          open
          onOpenChange={(open) => !open && ask(null)}
          title={LOOK[asked].title}
          verb={LOOK[asked].verb}
          kind={asked === "cancel" ? "danger" : "primary"}
          isPending={act.isPending}
          onConfirm={confirm}
          fields={
            <>
              {asked === "cancel" && (
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
          <p>{effect(asked, batch)}</p>
        </AlertDialog>
      )}
    </div>
  );
}

function effect(action: "cancel" | "retry", batch: Operation): string {
  if (action === "retry") {
    const most = pluralize(batch.counts.FAILED ?? 0, "job"); // what was executed since does not stand there any more
    return `What failed and still stands there is executed again at once, as a new batch: ${most} at most. This batch stays as it is.`;
  }
  const left = pluralize(batch.total - countAtRest(batch), "job");
  return `Nothing more of it begins, and what is under way is cancelled: ${left} in all. Existing results stay.`;
}

function Act({ action, reason, onClick }: { action: BatchAction; reason: string | null; onClick: () => void }) {
  const { verb, icon: Icon } = LOOK[action];
  return (
    <Button reason={reason} onClick={onClick}>
      <Icon aria-hidden size={14} />
      {verb}
    </Button>
  );
}
