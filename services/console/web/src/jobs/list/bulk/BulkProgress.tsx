import { Link, useBlocker } from "@tanstack/react-router";
import { ACTION_VERBS } from "@/jobs/model/status";
import { pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import type { BulkProgress as Progress } from "./use-bulk-action";

const FAILURES_SHOWN = 3;

type BulkProgressProps = { progress: Progress; onAbort: () => void; onDismiss: () => void };

/** Progress of a bulk action and its refusals. Leaving the page while it runs asks first. */
export function BulkProgress({ progress, onAbort, onDismiss }: BulkProgressProps) {
  const { action, total, done, failures, state } = progress;
  const isRunning = state === "running";
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => current.pathname !== next.pathname,
    enableBeforeUnload: isRunning,
    disabled: !isRunning,
    withResolver: true,
  });
  return (
    <section aria-label="Bulk actions" className="max-h-[40dvh] space-y-1 overflow-auto border-t bg-sunken px-4 py-2">
      <div className="flex flex-wrap items-center gap-3">
        <progress
          max={total}
          value={done}
          aria-label={`${ACTION_VERBS[action]}: progress`}
          className="w-40 accent-accent"
        />
        <span role="status">
          {ACTION_VERBS[action]}: {done} of {total} asked{failures.length > 0 && `, ${failures.length} refused`}
          {state === "aborted" && ", stopped"}
        </span>
        {isRunning ? (
          <Button onClick={onAbort}>Stop</Button>
        ) : (
          <Button kind="quiet" onClick={onDismiss}>
            Close
          </Button>
        )}
      </div>
      <Failures failures={failures.slice(0, FAILURES_SHOWN)} />
      {failures.length > FAILURES_SHOWN && (
        <details>
          <summary className="min-h-6">{failures.length - FAILURES_SHOWN} more were refused</summary>
          <Failures failures={failures.slice(FAILURES_SHOWN)} />
        </details>
      )}
      <AlertDialog
        open={blocker.status === "blocked"}
        onOpenChange={(open) => !open && blocker.reset?.()}
        title="Leave before it is done?"
        verb="Leave"
        kind="danger"
        onConfirm={() => blocker.proceed?.()}
      >
        <p>
          {ACTION_VERBS[action]}: {done} of {pluralize(total, "job")} were asked for. The others will not be.
        </p>
      </AlertDialog>
    </section>
  );
}

function Failures({ failures }: Pick<Progress, "failures">) {
  return failures.map(({ job, error }) => (
    <p key={job.id} className="text-failed wrap-anywhere">
      <Link to="/jobs/$id" params={{ id: job.id }} className="underline">
        <bdi>{job.title}</bdi>
      </Link>
      : {error.detail || error.title} <code className="font-mono text-xs">{error.code}</code>
    </p>
  ));
}
