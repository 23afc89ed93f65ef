import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Job } from "@/api/types";
import { describeSearch, type JobsSearch } from "@/jobs/list/filters/jobs-search";
import { countsQuery } from "@/jobs/list/state/queries";
import { ACTION_VERBS } from "@/jobs/model/status";
import { pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { toIntlZone, useZone } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { BatchDialog } from "./BatchDialog";
import { BulkProgress } from "./BulkProgress";
import { describeMatching } from "./create-batch";
import { type BulkAction, explainRefusalOfAll, listAllowed, useBulkAction } from "./use-bulk-action";

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
  const [asked, ask] = useState<BulkAction | null>(null);
  const [batch, askBatch] = useState<"selected" | "all" | null>(null);
  const { progress, run, abort, dismiss } = useBulkAction((done) => onDone(done.map(({ id }) => id)));
  const counts = useQuery({ ...countsQuery(search), enabled: isAll }).data;
  const zone = toIntlZone(useZone()[0]);
  if (progress) return <BulkProgress progress={progress} onAbort={abort} onDismiss={dismiss} />;
  if (selected.length === 0) return null;
  const affected = asked ? listAllowed(asked, selected) : [];
  const others = selected.length - affected.length;
  return (
    <section aria-label="Bulk actions" className="flex flex-wrap items-center gap-2 border-t bg-sunken px-4 py-2">
      <span role="status" className="font-medium">
        {isAll ? "All " : ""}
        {pluralize(selected.length, isAll ? "loaded job" : "job")} selected
      </span>
      {BULK.map((action) => (
        <Button key={action} reason={explainRefusalOfAll(action, selected)} onClick={() => ask(action)}>
          {ACTION_VERBS[action]}
        </Button>
      ))}
      <Button onClick={() => askBatch("selected")}>Execute as a batch</Button>
      {isAll && <Button onClick={() => askBatch("all")}>Execute {describeMatching(counts, search)} that match</Button>}
      <Button kind="quiet" onClick={onClear}>
        Clear selection
      </Button>
      {batch && (
        <BatchDialog
          search={search}
          selected={batch === "selected" ? selected : null}
          onClose={(isMade) => {
            askBatch(null);
            if (isMade) onClear();
          }}
        />
      )}
      {asked && (
        <AlertDialog
          open
          onOpenChange={(open) => !open && ask(null)}
          title={`${ACTION_VERBS[asked]} ${pluralize(affected.length, "job")}?`}
          verb={ACTION_VERBS[asked]}
          kind={asked === "cancel" ? "danger" : "primary"}
          onConfirm={() => {
            void run(asked, affected);
            ask(null);
          }}
        >
          <p>
            Selected among: {describeSearch(search, zone)}. {ACTION_VERBS[asked]} is asked for each of{" "}
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
