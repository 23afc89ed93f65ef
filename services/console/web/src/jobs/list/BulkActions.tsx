import { useState } from "react";
import type { Job } from "@/api/types";
import { counted } from "@/lib/format";
import { AlertDialog } from "@/ui/alert-dialog";
import { Button } from "@/ui/button";
import { VERBS } from "../status";
import { BatchDialog } from "./BatchDialog";
import { allowed, type BulkAction, type BulkProgress, useBulk } from "./bulk";
import { inWords, type JobsSearch } from "./filters";

const BULK: BulkAction[] = ["execute", "cancel", "resubmit"];

type BulkActionsProps = {
  selected: readonly Job[];
  /** The filter, restated before anything is done. */
  search: JobsSearch;
  onClear: () => void;
};

/** What can be done with the jobs that are selected; says beforehand for how many, and afterwards how it went. */
export function BulkActions({ selected, search, onClear }: BulkActionsProps) {
  const [asked, ask] = useState<BulkAction | null>(null);
  const [batch, askBatch] = useState<"selected" | "all" | null>(null);
  const { progress, run, abort, dismiss } = useBulk();
  if (progress) return <Progress progress={progress} onAbort={abort} onDismiss={dismiss} />;
  if (selected.length === 0) return null;
  const affected = asked ? allowed(asked, selected) : [];
  const others = selected.length - affected.length;
  return (
    <section aria-label="Bulk actions" className="flex flex-wrap items-center gap-2 border-t bg-sunken px-4 py-2">
      <span className="font-medium">{counted(selected.length, "job")} selected</span>
      {BULK.map((action) => (
        <Button key={action} unavailable={allowed(action, selected).length === 0} onClick={() => ask(action)}>
          {VERBS[action]}
        </Button>
      ))}
      <Button onClick={() => askBatch("selected")}>Execute as a batch</Button>
      <Button onClick={() => askBatch("all")}>Execute all that match</Button>
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
          title={`${VERBS[asked]} ${counted(affected.length, "job")}?`}
          verb={VERBS[asked]}
          kind={asked === "cancel" ? "danger" : "primary"}
          onConfirm={() => {
            void run(asked, affected);
            ask(null);
          }}
        >
          <p>
            Selected among: {inWords(search)}. {VERBS[asked]} is asked for each of {counted(affected.length, "job")},
            one by one.
          </p>
          {others > 0 && (
            <p className="text-muted">{counted(others, "job")} of the selection cannot be, and stay as they are.</p>
          )}
        </AlertDialog>
      )}
    </section>
  );
}

type ProgressProps = { progress: BulkProgress; onAbort: () => void; onDismiss: () => void };

function Progress({ progress, onAbort, onDismiss }: ProgressProps) {
  const { action, total, done, failures, state } = progress;
  return (
    <section aria-label="Bulk actions" className="space-y-1 border-t bg-sunken px-4 py-2">
      <div className="flex flex-wrap items-center gap-3">
        <progress max={total} value={done} aria-label={`${VERBS[action]}: progress`} className="w-40 accent-accent" />
        <span role="status">
          {VERBS[action]}: {done} of {total} asked{failures.length > 0 && `, ${failures.length} refused`}
          {state === "aborted" && ", stopped"}
        </span>
        {state === "running" ? (
          <Button onClick={onAbort}>Stop</Button>
        ) : (
          <Button kind="quiet" onClick={onDismiss}>
            Close
          </Button>
        )}
      </div>
      {failures.slice(0, 3).map(({ job, error }) => (
        <p key={job.id} className="text-failed wrap-anywhere">
          <bdi>{job.title}</bdi>: {error.detail || error.title} <code className="font-mono text-xs">{error.code}</code>
        </p>
      ))}
    </section>
  );
}
