import { useQuery } from "@tanstack/react-query";
import { MoreHorizontal, X } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useRefusal } from "@/api/me";
import type { Job, OperationKind } from "@/api/types";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { countsQuery } from "@/jobs/list/state/queries";
import { formatCount, pluralize } from "@/lib/format";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { Menu, MenuItem } from "@/ui/overlays/menu";
import {
  describeMatching,
  explainNone,
  explainRefusalOfAll,
  KIND_VERBS,
  orderKinds,
  useRemovalRefusal,
} from "./operation";

/** Read when it is first opened: most visits do nothing to many jobs. */
const OperationDialog = lazy(() => loadPart(() => import("./OperationDialog")));

type BulkActionsProps = {
  selected: readonly Job[];
  /** Whether all loaded jobs are selected. */
  isAll: boolean;
  /** Whether more jobs match than are loaded. */
  hasMore: boolean;
  /** Filter of the list, restated in the dialogs. */
  search: JobsSearch;
  onClear: () => void;
};

/** What can be done to the selected jobs, or to all that match, as one operation of the service: the likely at once. */
export function BulkActions({ selected, isAll, hasMore, search, onClear }: BulkActionsProps) {
  const [operation, setOperation] = useKeptState<{ kind: OperationKind; ofAll: boolean } | null>("operation", null);
  const [isShownOnly, setShownOnly] = useState(false);
  const refuse = useRefusal();
  const refused = refuse("preview_operation") ?? refuse("create_operation");
  const refuseRemoval = useRemovalRefusal();
  const canBeAll = isAll && hasMore;
  const counts = useQuery({ ...countsQuery(search), enabled: canBeAll }).data;
  if (selected.length === 0) return null;
  const ofAll = canBeAll && !isShownOnly;
  const explain = (kind: OperationKind) =>
    (kind === "remove" ? refuseRemoval() : refused) ??
    (ofAll ? explainNone(kind, counts, search) : explainRefusalOfAll(kind, selected));
  const [likely, ...others] = orderKinds(selected, ofAll ? search : undefined);
  const shown = pluralize(selected.length, "job");
  return (
    <section aria-label="Bulk actions" className="flex items-center gap-2 border-t bg-sunken px-4 py-2">
      <div className="flex min-w-0 items-center gap-2 max-sm:flex-col max-sm:items-start max-sm:gap-0">
        <p role="status" className="font-medium">
          {ofAll ? describeMatching(counts, search) : `${shown} selected`}
        </p>
        {canBeAll && (
          <button
            type="button"
            className="min-h-6 text-left text-accent underline"
            onClick={() => setShownOnly(!isShownOnly)}
          >
            {ofAll ? `only the ${formatCount(selected.length)} shown` : "all that match"}
          </button>
        )}
      </div>
      <div role="group" aria-label="What to do with them" className="ml-auto flex items-center gap-1">
        {likely && (
          <Button kind="primary" reason={explain(likely)} onClick={() => setOperation({ kind: likely, ofAll })}>
            {KIND_VERBS[likely]}
          </Button>
        )}
        <Menu
          trigger={
            <Button size="icon" aria-label="More to do with them">
              <MoreHorizontal aria-hidden size={16} />
            </Button>
          }
        >
          {others.map((kind) => (
            <MenuItem key={kind} reason={explain(kind)} onSelect={() => setOperation({ kind, ofAll })}>
              {KIND_VERBS[kind]}
            </MenuItem>
          ))}
        </Menu>
        <Button kind="quiet" size="icon" aria-label="Clear selection" title="Clear selection (Esc)" onClick={onClear}>
          <X aria-hidden size={16} />
        </Button>
      </div>
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
