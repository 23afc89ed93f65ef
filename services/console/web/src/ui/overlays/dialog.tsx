import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/controls/button";
import { useFocusReturn } from "./use-focus-return";

type DialogProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: string;
  children: ReactNode;
  className?: string;
  /** Selector of what is focused first; else the first focusable element. */
  initialFocus?: string;
};

/** Dialog to read or fill in; Escape and a click beside it close it. */
export function Dialog({ open, onOpenChange, title, description, children, className, initialFocus }: DialogProps) {
  const focusReturn = useFocusReturn();
  const focusFirst = (event: Event) => {
    focusReturn.onOpenAutoFocus();
    const wanted = initialFocus && (event.currentTarget as Element).querySelector<HTMLElement>(initialFocus);
    if (!wanted) return;
    event.preventDefault();
    wanted.focus();
  };
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-overlay" />
        <Radix.Content
          onOpenAutoFocus={focusFirst}
          onCloseAutoFocus={focusReturn.onCloseAutoFocus}
          {...(description ? {} : { "aria-describedby": undefined })}
          className={cn(
            "fixed top-[10vh] left-1/2 z-50 max-h-[80dvh] w-[min(560px,calc(100vw-32px))] -translate-x-1/2 overflow-auto rounded border bg-surface p-6 shadow-xl",
            className,
          )}
        >
          <div className="flex items-start justify-between gap-4">
            <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
            <Radix.Close asChild>
              <Button kind="quiet" size="icon" aria-label="Close">
                <X aria-hidden size={16} />
              </Button>
            </Radix.Close>
          </div>
          {description && <Radix.Description className="mt-1 text-muted">{description}</Radix.Description>}
          <div className="mt-4">{children}</div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
