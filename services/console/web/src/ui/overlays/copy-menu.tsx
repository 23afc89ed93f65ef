import { Copy as CopyIcon } from "lucide-react";
import { useState } from "react";
import { copyText } from "@/lib/clipboard";
import { Button } from "@/ui/controls/button";
import { toast } from "@/ui/feedback/toast";
import { Popover } from "./popover";

/** What something can be copied as, and the text, which is made when it is copied. */
export type Copy = { words: string; make: () => string };

/** Copy something as one of its kinds, and say so. */
export async function copyAs({ words, make }: Copy): Promise<void> {
  const text = make();
  if (await copyText(text)) toast(`Copied as ${words}`);
  else toast("The browser does not let the page copy", text);
}

/** Button that shows what something can be copied as, where there is no other menu. */
export function CopyMenu({ copies }: { copies: readonly Copy[] }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <Popover
      label="Copy as"
      align="end"
      open={isOpen}
      onOpenChange={setOpen}
      trigger={
        <Button size="icon" aria-label="Copy as" title="Copy as link, curl or CLI">
          <CopyIcon aria-hidden size={14} />
        </Button>
      }
    >
      <div className="flex items-center gap-1">
        <span className="text-muted">Copy as</span>
        {copies.map((copy) => (
          <Button
            key={copy.words}
            kind="quiet"
            aria-label={`Copy as ${copy.words}`}
            onClick={() => {
              setOpen(false);
              void copyAs(copy);
            }}
          >
            {copy.words}
          </Button>
        ))}
      </div>
    </Popover>
  );
}
