import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useRefusal } from "@/api/me";
import type { Job, OperationKind } from "@/api/types";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { countsQuery } from "@/jobs/list/state/queries";
import { pluralize } from "@/lib/format";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { describeMatching, explainNone, explainRefusalOfAll, KIND_VERBS, KINDS } from "./operation";

/** Read when it is first opened: most visits do nothing to many jobs. */
const OperationDialog = lazy(() => loadPart(() => import("./OperationDialog")));

type BulkActionsProps = {
  selected: readonly Job[];
  /** Whether all loaded jobs are selected; more may match. */
  isAll: boolean;
  /** Filter of the list, restated in the dialogs. */
  search: JobsSearch;
  onClear: () => void;
};

/** What can be done to the selected jobs, or to all that match, as one operation of the service. */
export function BulkActions({ selected, isAll, search, onClear }: BulkActionsProps) {
  const [operation, setOperation] = useKeptState<{ kind: OperationKind; ofAll: boolean } | null>("operation", null);
  const refuse = useRefusal();
  const refused = refuse("preview_operation") ?? refuse("create_operation");
  const counts = useQuery({ ...countsQuery(search), enabled: isAll }).data;
  if (selected.length === 0) return null;
  const matching = describeMatching(counts, search);
  return (
    <section aria-label="Bulk actions" className="flex flex-wrap items-center gap-2 border-t bg-sunken px-4 py-2">
      <span role="status" className="font-medium">
        {isAll ? "All " : ""}
        {pluralize(selected.length, isAll ? "loaded job" : "job")} selected
      </span>
      {KINDS.map((kind) => (
        <Button
          key={kind}
          reason={refused ?? explainRefusalOfAll(kind, selected)}
          onClick={() => setOperation({ kind, ofAll: false })}
        >
          {KIND_VERBS[kind]}
        </Button>
      ))}
      {isAll && (
        <div role="group" aria-label="All that match" className="flex flex-wrap items-center gap-2 border-l pl-3">
          <span className="font-medium first-letter:uppercase">{matching} that match:</span>
          {KINDS.map((kind) => (
            <Button
              key={kind}
              aria-label={`${KIND_VERBS[kind]} ${matching} that match`}
              reason={refused ?? explainNone(kind, counts, search)}
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
    </section>
  );
}
