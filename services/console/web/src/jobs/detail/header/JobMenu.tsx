import { Copy, FlaskConical, Gavel, Link2, ListChecks, MoreHorizontal } from "lucide-react";
import { Button } from "@/ui/controls/button";
import { toast } from "@/ui/feedback/toast";
import { Menu, MenuItem } from "@/ui/overlays/menu";

type JobMenuProps = {
  /** Why the criteria cannot be edited. */
  reason: string | null;
  onEditCriteria: () => void;
  onDuplicate: () => void;
  onTry: () => void;
  /** Why it cannot be judged again. */
  rejudgeReason: string | null;
  onRejudge: () => void;
};

/** Menu of further actions: edit the criteria, duplicate, try others, judge again, copy the link. */
export function JobMenu(props: JobMenuProps) {
  const { reason, onEditCriteria, onDuplicate, onTry, rejudgeReason, onRejudge } = props;
  return (
    <Menu
      trigger={
        <Button size="icon" aria-label="More">
          <MoreHorizontal aria-hidden size={16} />
        </Button>
      }
    >
      <MenuItem onSelect={onEditCriteria} reason={reason}>
        <ListChecks aria-hidden size={14} /> Edit criteria
      </MenuItem>
      <MenuItem onSelect={onDuplicate}>
        <Copy aria-hidden size={14} /> Duplicate with edits
      </MenuItem>
      <MenuItem onSelect={onTry}>
        <FlaskConical aria-hidden size={14} /> Try other criteria
      </MenuItem>
      <MenuItem onSelect={onRejudge} reason={rejudgeReason}>
        <Gavel aria-hidden size={14} /> Judge again
      </MenuItem>
      <MenuItem onSelect={() => void copyLink()}>
        <Link2 aria-hidden size={14} /> Copy the link
      </MenuItem>
    </Menu>
  );
}

async function copyLink(): Promise<void> {
  await navigator.clipboard.writeText(location.href).then(
    () => toast("The link was copied"),
    () => toast("The browser does not let the page copy", location.href),
  );
}
