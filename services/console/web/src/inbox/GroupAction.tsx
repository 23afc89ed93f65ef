import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { type Change, useRefusal } from "@/api/me";
import { ProblemState } from "@/api/ProblemState";
import type { InboxGroup, OperationKind } from "@/api/types";
import { fromFilter } from "@/jobs/list/search/from-filter";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Button, buttonLook } from "@/ui/controls/button";
import { findRemedy, formatGroupCount, PAGES, type Remedy } from "./describe-group";
import { useRemedy } from "./mutations";
import { noteAct } from "./queries";

/** Read when it is first opened. */
const OperationDialog = lazy(() => loadPart(() => import("@/jobs/list/bulk/OperationDialog")));

/** What does for all of a group what it needs: an operation that says first what it will do, a button, or a page. */
export function GroupAction({ group }: { group: InboxGroup }) {
  const remedy = findRemedy(group);
  const page = PAGES[group.kind];
  if (group.operation) return <OperationButton group={group} {...group.operation} />;
  if (remedy) return <RemedyButton remedy={remedy} />;
  if (!page || (group.kind === "budget" && !group.code.startsWith("limit"))) return null;
  return (
    <Link to={page.to} search={{}} className={buttonLook({})}>
      {page.words}
    </Link>
  );
}

/** Name an operation for a number of jobs, by the verb of its dialog. */
const nameOperation = (kind: string, number: string) =>
  kind === "resubmit" ? `Resubmit ${number}` : `Execute ${number} again`;

type OperationButtonProps = NonNullable<InboxGroup["operation"]> & { group: InboxGroup };

function OperationButton({ group, kind, filter }: OperationButtonProps) {
  const [isOpen, setOpen] = useKeptState(`operation ${group.id}`, false);
  const refuse = useRefusal();
  const refused = refuse("preview_operation") ?? refuse("create_operation");
  return (
    <>
      <Button reason={refused} onClick={() => setOpen(true)}>
        {nameOperation(kind, formatGroupCount(group))}
      </Button>
      {isOpen && (
        <Suspense fallback={null}>
          <OperationDialog
            kind={kind as OperationKind}
            search={fromFilter(filter)}
            selected={null}
            onClose={(isMade) => {
              if (isMade) noteAct();
              setOpen(false);
            }}
          />
        </Suspense>
      )}
    </>
  );
}

const CHANGES = {
  agent: "resume_agent",
  tenant: "resume_tenant",
  operation: "resume_operation",
  limit: "patch_limit",
} as const satisfies Record<Remedy["what"], Change>;

/** Button that does it at once; the group goes with the next read. */
function RemedyButton({ remedy }: { remedy: Remedy }) {
  const act = useRemedy();
  const refused = useRefusal()(remedy.does === "enable" ? "patch_agent" : CHANGES[remedy.what]);
  return (
    <>
      <Button
        reason={refused}
        unavailable={act.isPending || act.isSuccess}
        aria-busy={act.isPending}
        onClick={() => act.mutate(remedy)}
      >
        {act.isSuccess ? "Done" : remedy.words}
      </Button>
      <ProblemState error={act.error} />
    </>
  );
}
