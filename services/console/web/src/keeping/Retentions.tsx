import type { UseQueryResult } from "@tanstack/react-query";
import { Pencil, Trash2 } from "lucide-react";
import { useRefusal } from "@/api/me";
import { ProblemState, ReadState } from "@/api/ProblemState";
import type { Retention } from "@/api/types";
import { useKeptState } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { EmptyState } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { describeRetention, describeRetentionName } from "./describe-kept";
import { useDeleteRetention } from "./mutations";
import { RetentionDialog } from "./RetentionDialog";

type OpenDialog = { retention?: Retention; what: "set" | "delete" };

/** For how long jobs and operations are kept, by tenant, with the forms that change it. */
export function Retentions({ query: retentions }: { query: UseQueryResult<Retention[]> }) {
  const [dialog, setDialog] = useKeptState<OpenDialog | null>("dialog", null);
  const remove = useDeleteRetention();
  const refuse = useRefusal();
  const close = () => setDialog(null);
  return (
    <section aria-label="Retentions" className="space-y-2">
      <div className="flex flex-wrap items-center justify-between gap-4">
        <h2 className="text-lg font-semibold">For how long</h2>
        <Button kind="primary" reason={refuse("set_retention")} onClick={() => setDialog({ what: "set" })}>
          Set a retention
        </Button>
      </div>
      <ReadState query={retentions} what="retentions" />
      {retentions.data?.length === 0 && (
        <EmptyState title="All is kept for ever" command="signoff retention set tenant:NAME --completed 90d">
          <p>A retention says for how long a tenant's jobs stay once they rest. What goes is in the archive before.</p>
        </EmptyState>
      )}
      {retentions.data && retentions.data.length > 0 && (
        <ul aria-label="Retentions" className="divide-y border-y">
          {retentions.data.map((retention) => (
            <li key={retention.name} className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 py-1.5">
              <div className="min-w-0 grow basis-40">
                <p className="font-medium wrap-anywhere">{describeRetentionName(retention.name)}</p>
                <p className="font-mono text-xs text-muted wrap-anywhere">{retention.name}</p>
              </div>
              <span className="min-w-0 grow-2 basis-64">{describeRetention(retention)}</span>
              <span className="text-xs text-muted">
                set <Time at={retention.updated_at} />
              </span>
              <div className="flex gap-1 max-sm:ml-auto">
                <Button
                  kind="quiet"
                  size="icon"
                  aria-label={`Change ${retention.name}`}
                  title="Change"
                  reason={refuse("patch_retention")}
                  onClick={() => setDialog({ retention, what: "set" })}
                >
                  <Pencil aria-hidden size={14} />
                </Button>
                <Button
                  kind="quiet"
                  size="icon"
                  aria-label={`Delete ${retention.name}`}
                  title="Delete"
                  reason={refuse("delete_retention")}
                  onClick={() => {
                    remove.reset();
                    setDialog({ retention, what: "delete" });
                  }}
                >
                  <Trash2 aria-hidden size={14} />
                </Button>
              </div>
            </li>
          ))}
        </ul>
      )}
      {dialog?.what === "set" && <RetentionDialog retention={dialog.retention} onClose={close} />}
      {dialog?.what === "delete" && dialog.retention && (
        <AlertDialog
          open
          onOpenChange={(open) => !open && close()}
          title="Delete this retention?"
          verb="Delete"
          kind="danger"
          isPending={remove.isPending}
          onConfirm={() => dialog.retention && remove.mutate(dialog.retention, { onSuccess: close })}
          fields={<ProblemState error={remove.error} />}
        >
          <p>{describeWithout(dialog.retention.name)}</p>
        </AlertDialog>
      )}
    </section>
  );
}

/** Describe what holds once a retention is deleted. */
function describeWithout(name: string): string {
  if (name === "tenant:*") return "What tenants' own retentions do not say is kept for ever.";
  return `What it was of is kept as tenant:* says, which may be shorter; without one, it is kept for ever.`;
}
