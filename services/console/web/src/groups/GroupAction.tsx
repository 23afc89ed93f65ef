import { Link } from "@tanstack/react-router";
import { useRefusal } from "@/api/me";
import type { InboxGroup, InboxOperation } from "@/api/types";
import { RemedyButton } from "@/limits/RemedyButton";
import { findRemedy } from "@/limits/remedies";
import { Button, buttonLook } from "@/ui/controls/button";
import { formatGroupCount, PAGES } from "./describe-group";

type GroupActionProps = { group: InboxGroup; onAsk: (operation: InboxOperation) => void };

/** What does for all of a group what it needs: an operation that says first what it will do, a button, or a page. */
export function GroupAction({ group, onAsk }: GroupActionProps) {
  const refuse = useRefusal();
  const { operation } = group;
  const remedy = findRemedy(group);
  const page = PAGES[group.kind];
  if (operation)
    return (
      <Button reason={refuse("preview_operation") ?? refuse("create_operation")} onClick={() => onAsk(operation)}>
        {nameOperation(operation, formatGroupCount(group))}
      </Button>
    );
  // What holds them back again since then is lifted again.
  if (remedy) return <RemedyButton key={group.since} remedy={remedy} kind="plain" />;
  return (
    page && (
      <Link to={page.to} search={{}} className={buttonLook({})}>
        {page.words}
      </Link>
    )
  );
}

/** Name an operation for a number of jobs, by the verb of its dialog. */
const nameOperation = ({ kind }: InboxOperation, number: string) =>
  kind === "resubmit" ? `Resubmit ${number}` : `Execute ${number} again`;
