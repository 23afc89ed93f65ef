import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { useAgentNames } from "@/api/agents";
import type { Job, OperationKind } from "@/api/types";
import { describeSearch, type JobsSearch } from "@/jobs/list/filters/jobs-search";
import { countsQuery } from "@/jobs/list/state/queries";
import { ACTION_VERBS } from "@/jobs/model/status";
import { pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { toIntlZone, useZone } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { BulkProgress } from "./BulkProgress";
import { describeMatching, explainNone, KIND_VERBS, KINDS } from "./operation";
import { type BulkAction, explainRefusalOfAll, listAllowed, useBulkAction } from "./use-bulk-action";

/** Read when it is first opened: most visits do nothing to many jobs. */
const OperationDialog = lazy(() => import("./OperationDialog"));

const BULK: BulkAction[] = ["execute", "cancel", "resubmit"];

type BulkActionsProps = {
  selected: readonly Job[];
  /** Whether all loaded jobs are selected; more may match. */
  isAll: boolean;
  /** Filter of the list, restated in the dialogs. */
  search: JobsSearch;
  onClear: () => void;
  /** Called with the ids of jobs that the action was done with; the others stay selected. */
  onDone: (ids: string[]) => void;
};

/** Actions on the selected jobs: for how many of them, then their progress. */
export function BulkActions({ selected, isAll, search, onClear, onDone }: BulkActionsProps) {
  const [dialogAction, setDialogAction] = useState<BulkAction | null>(null);
  const [operation, setOperation] = useState<{ kind: OperationKind; ofAll: boolean } | null>(null);
  const { progress, run, abort, dismiss } = useBulkAction((done) => onDone(done.map(({ id }) => id)));
  const counts = useQuery({ ...countsQuery(search), enabled: isAll }).data;
  const zone = toIntlZone(useZone()[0]);
  const { nameOf } = useAgentNames();
  if (progress) return <BulkProgress progress={progress} onAbort={abort} onDismiss={dismiss} />;
  if (selected.length === 0) return null;
  const affected = dialogAction ? listAllowed(dialogAction, selected) : [];
  const others = selected.length - affected.length;
  const matching = describeMatching(counts, search);
  return (
    <section aria-label="Bulk actions" className="flex flex-wrap items-center gap-2 border-t bg-sunken px-4 py-2">
      <span role="status" className="font-medium">
        {isAll ? "All " : ""}
        {pluralize(selected.length, isAll ? "loaded job" : "job")} selected
      </span>
      {BULK.map((action) => (
        <Button key={action} reason={explainRefusalOfAll(action, selected)} onClick={() => setDialogAction(action)}>
          {ACTION_VERBS[action]}
        </Button>
      ))}
      <Button onClick={() => setOperation({ kind: "execute", ofAll: false })}>Execute as a batch</Button>
      <Button onClick={() => setOperation({ kind: "rejudge", ofAll: false })}>{KIND_VERBS.rejudge}</Button>
      {isAll && (
        <div role="group" aria-label="All that match" className="flex flex-wrap items-center gap-2 border-l pl-3">
          <span className="font-medium first-letter:uppercase">{matching} that match:</span>
          {KINDS.map((kind) => (
            <Button
              key={kind}
              aria-label={`${KIND_VERBS[kind]} ${matching} that match`}
              reason={explainNone(kind, counts, search)}
              onClick={() => setOperation({ kind, ofAll: true })}
            >
              {KIND_VERBS[kind]}
            </Button>
          ))}
        </div>
      )}
      <Button kind="quiet" onClick={onClear}>
        Clear selection
      </Button>
      {operation && (
        <Suspense fallback={null}>
          <OperationDialog
            kind={operation.kind}
            search={search}
            selected={operation.ofAll ? null : selected}
            onClose={(isMade) => {
              setOperation(null);
              if (isMade) onClear();
            }}
          />
        </Suspense>
      )}
      {dialogAction && (
        <AlertDialog
          open
          onOpenChange={(open) => !open && setDialogAction(null)}
          title={`${ACTION_VERBS[dialogAction]} ${pluralize(affected.length, "job")}?`}
          verb={ACTION_VERBS[dialogAction]}
          kind={dialogAction === "cancel" ? "danger" : "primary"}
          onConfirm={() => {
            void run(dialogAction, affected);
            setDialogAction(null);
          }}
        >
          <p>
            Selected among: {describeSearch(search, zone, nameOf)}. {ACTION_VERBS[dialogAction]} is asked for each of{" "}
            {pluralize(affected.length, "job")}, one by one.
          </p>
          {others > 0 && (
            <p className="text-muted">{pluralize(others, "job")} of the selection cannot be, and stay as they are.</p>
          )}
        </AlertDialog>
      )}
    </section>
  );
}
