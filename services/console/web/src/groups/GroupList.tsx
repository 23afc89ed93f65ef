import { lazy, type ReactNode, Suspense } from "react";
import type { InboxGroup, InboxOperation, OperationKind } from "@/api/types";
import { fromFilter } from "@/jobs/list/search/from-filter";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { GroupItem } from "./GroupItem";

/** Read when it is first opened. */
const OperationDialog = lazy(() => loadPart(() => import("@/jobs/list/bulk/OperationDialog")));

type GroupListProps = {
  groups: readonly InboxGroup[];
  label?: string;
  /** What else can be done with a group. */
  renderMore?: (group: InboxGroup) => ReactNode;
};

/** Groups of what needs somebody, each with what does for all of it what it needs. */
export function GroupList({ groups, label, renderMore }: GroupListProps) {
  // The dialog is not the group's own: a group goes as soon as the operation is made, and the dialog leads on to that.
  const [asked, ask] = useKeptState<InboxOperation | null>("operation", null);
  return (
    <>
      {groups.length > 0 && (
        <ul aria-label={label} className="divide-y rounded border bg-surface">
          {groups.map((group) => (
            <GroupItem key={group.id} group={group} onAsk={ask}>
              {renderMore?.(group)}
            </GroupItem>
          ))}
        </ul>
      )}
      {asked && (
        <Suspense fallback={null}>
          <OperationDialog
            kind={asked.kind as OperationKind}
            search={fromFilter(asked.filter)}
            selected={null}
            onClose={() => ask(null)}
          />
        </Suspense>
      )}
    </>
  );
}
