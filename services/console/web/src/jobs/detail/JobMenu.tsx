import { Copy, Link2, MoreHorizontal, Pencil } from "lucide-react";
import { useState } from "react";
import type { Job } from "@/api/types";
import { Button } from "@/ui/button";
import { Menu, MenuItem } from "@/ui/menu";
import { toast } from "@/ui/toast";
import { EditCriteriaDialog } from "./EditCriteriaDialog";

/** What else can be done with a job: its criteria, its copy, its address. */
export function JobMenu({ job, onDuplicate }: { job: Job; onDuplicate: () => void }) {
  const [isEditing, edit] = useState(false);
  return (
    <>
      <Menu
        trigger={
          <Button size="icon" aria-label="More">
            <MoreHorizontal aria-hidden size={16} />
          </Button>
        }
      >
        <MenuItem onSelect={() => edit(true)}>
          <Pencil aria-hidden size={14} /> Edit the criteria
        </MenuItem>
        <MenuItem onSelect={onDuplicate}>
          <Copy aria-hidden size={14} /> Duplicate with edits
        </MenuItem>
        <MenuItem onSelect={() => void copyLink()}>
          <Link2 aria-hidden size={14} /> Copy the link
        </MenuItem>
      </Menu>
      {isEditing && <EditCriteriaDialog job={job} onClose={() => edit(false)} />}
    </>
  );
}

async function copyLink(): Promise<void> {
  await navigator.clipboard.writeText(location.href).then(
    () => toast("The link was copied"),
    () => toast("The browser does not let the page copy", location.href),
  );
}
