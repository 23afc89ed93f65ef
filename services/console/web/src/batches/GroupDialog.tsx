import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ProblemState } from "@/api/ProblemState";
import type { NewOperation } from "@/api/types";
import { previewQuery, useCreateOperation } from "@/jobs/list/bulk/operation";
import { formatMoney, pluralize } from "@/lib/format";
import { Skeleton } from "@/ui/display/states";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { type InboxOperation, nameOperation } from "./batch-state";

/** Dialog that confirms the operation which does what a group needs: to how many and at what cost; then opens its page. */
export default function GroupDialog({ operation, onClose }: { operation: InboxOperation; onClose: () => void }) {
  const body = operation as NewOperation;
  const preview = useQuery(previewQuery(body));
  const create = useCreateOperation();
  const navigate = useNavigate();
  const { total = 0, cost_usd: cost } = preview.data ?? {};
  const verb = nameOperation(operation);
  const confirm = () =>
    create.mutate(body, {
      onSuccess: ({ id }) => {
        onClose();
        void navigate({ to: "/batches/$id", params: { id } });
      },
    });
  return (
    <AlertDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={preview.data ? `${verb} ${pluralize(total, "job")}?` : `${verb} many jobs?`}
      verb={verb}
      kind="primary"
      isPending={create.isPending}
      isReady={total > 0}
      onConfirm={confirm}
      fields={<ProblemState error={preview.error ?? create.error} />}
    >
      <p>Those of the group that stand so now, as a new batch; this one stays as it is.</p>
      <div className="min-h-6">
        {preview.isPending ? (
          <Skeleton className="h-6" />
        ) : (
          <p>Estimated cost: {cost == null ? "not known" : formatMoney(cost)}</p>
        )}
      </div>
    </AlertDialog>
  );
}
