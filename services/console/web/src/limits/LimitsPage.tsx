import { useQuery } from "@tanstack/react-query";
import { Pencil, Plus, Trash2 } from "lucide-react";
import { useAgentNames } from "@/api/agents";
import { useRefusal } from "@/api/me";
import { ProblemState, ReadState } from "@/api/ProblemState";
import { SystemPages } from "@/api/SystemPages";
import { useTenant } from "@/api/tenants";
import type { Limit } from "@/api/types";
import { useKeptState } from "@/lib/kept";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { describeLimit, describeLimitName, describeSpending } from "./describe-limit";
import { LimitDialog } from "./LimitDialog";
import { useRemoveLimit } from "./mutations";
import { limitsQuery } from "./queries";

type OpenDialog = { limit?: Limit; what: "set" | "remove" };

/** Page of all limits on executions: of agents, tenants and labels. */
export function LimitsPage() {
  useTitle("Limits");
  const limits = useQuery(limitsQuery(useTenant()));
  const { nameOf } = useAgentNames();
  const [dialog, setDialog] = useKeptState<OpenDialog | null>("dialog", null);
  const remove = useRemoveLimit();
  const refuse = useRefusal();
  const close = () => setDialog(null);
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <SystemPages />
      <div className="flex flex-wrap items-center justify-between gap-4">
        <h1 className="text-xl font-semibold">Limits</h1>
        <Button kind="primary" reason={refuse("set_limit")} onClick={() => setDialog({ what: "set" })}>
          <Plus aria-hidden size={14} /> Set a limit
        </Button>
      </div>
      <ReadState query={limits} what="limits">
        <Skeleton className="h-24" />
      </ReadState>
      {limits.data?.length === 0 && (
        <EmptyState title="Nothing is limited">
          <p>
            A limit holds back how many executions of an agent, a tenant or a label run at once, or begin in a period.
          </p>
        </EmptyState>
      )}
      {limits.data && limits.data.length > 0 && (
        <ul aria-label="Limits" className="divide-y border-y">
          {limits.data.map((limit) => (
            <li
              key={limit.name}
              className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 py-1.5 lg:grid lg:grid-cols-[1fr_18rem_18rem_8rem_auto]"
            >
              <div className="min-w-0 grow">
                <p className="font-medium wrap-anywhere">{describeLimitName(limit.name, nameOf)}</p>
                <p className="font-mono text-xs text-muted wrap-anywhere">{limit.name}</p>
              </div>
              <span className={limit.paused ? "font-medium text-resubmit" : ""}>{describeLimit(limit)}</span>
              <span className="text-muted">{describeSpending(limit)}</span>
              <span className="text-xs text-muted">
                set <Time at={limit.updated_at} />
              </span>
              <div className="flex gap-1 max-sm:ml-auto">
                <Button
                  kind="quiet"
                  size="icon"
                  aria-label={`Change ${limit.name}`}
                  title="Change"
                  reason={refuse("patch_limit")}
                  onClick={() => setDialog({ limit, what: "set" })}
                >
                  <Pencil aria-hidden size={14} />
                </Button>
                <Button
                  kind="quiet"
                  size="icon"
                  aria-label={`Remove ${limit.name}`}
                  title="Remove"
                  reason={refuse("remove_limit")}
                  onClick={() => {
                    remove.reset();
                    setDialog({ limit, what: "remove" });
                  }}
                >
                  <Trash2 aria-hidden size={14} />
                </Button>
              </div>
            </li>
          ))}
        </ul>
      )}
      {dialog?.what === "set" && <LimitDialog name={dialog.limit?.name ?? null} limit={dialog.limit} onClose={close} />}
      {dialog?.what === "remove" && dialog.limit && (
        <AlertDialog
          open
          onOpenChange={(open) => !open && close()}
          title="Remove this limit?"
          verb="Remove"
          kind="danger"
          isPending={remove.isPending}
          onConfirm={() => dialog.limit && remove.mutate(dialog.limit, { onSuccess: close })}
          fields={<ProblemState error={remove.error} />}
        >
          <p>
            {describeLimitName(dialog.limit.name, nameOf)} is held back no longer ({describeLimit(dialog.limit)}); what
            waits may begin at once.
          </p>
        </AlertDialog>
      )}
    </div>
  );
}
