import { DropdownMenu as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { toast } from "@/ui/feedback/toast";

type MenuProps = { trigger: ReactNode; children: ReactNode };

export function Menu({ trigger, children }: MenuProps) {
  return (
    // Not modal: what is around the menu is neither hidden nor locked, and it belongs to the page's content.
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal container={document.getElementById("main")}>
        <Radix.Content
          align="end"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 min-w-48 rounded border bg-surface p-1 shadow-lg"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

const ITEM =
  "flex h-8 pointer-coarse:h-11 cursor-pointer items-center gap-2 rounded px-2 text-sm outline-none data-highlighted:bg-sunken aria-disabled:opacity-60";

/** `reason`: why the item is disabled; selecting it shows the reason. */
type MenuItemProps = { onSelect: () => void; reason?: string | null; children: ReactNode };

export function MenuItem({ onSelect, reason, children }: MenuItemProps) {
  return (
    <Radix.Item
      className={ITEM}
      onSelect={reason ? () => toast(reason) : onSelect}
      aria-disabled={reason ? true : undefined}
      title={reason ?? undefined}
    >
      {children}
    </Radix.Item>
  );
}
