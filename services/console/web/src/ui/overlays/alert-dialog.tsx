import { AlertDialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { Button } from "@/ui/controls/button";
import { useFocusReturn } from "./use-focus-return";

type AlertDialogProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  /** Description of what will happen. */
  children: ReactNode;
  /** Label of the button that confirms. */
  verb: string;
  kind?: "primary" | "danger";
  isPending?: boolean;
  /** Whether it can be confirmed as the form is filled in. */
  isReady?: boolean;
  onConfirm: () => void;
  /** Fields to fill in before confirming. */
  fields?: ReactNode;
};

/** Dialog that asks for confirmation; a click beside it does not close it. */
export function AlertDialog(props: AlertDialogProps) {
  const {
    open,
    onOpenChange,
    title,
    children,
    verb,
    kind = "primary",
    isPending,
    isReady = true,
    onConfirm,
    fields,
  } = props;
  const focusReturn = useFocusReturn();
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-overlay" />
        <Radix.Content
          {...focusReturn}
          className="fixed top-1/2 left-1/2 z-50 max-h-[90dvh] w-[min(480px,calc(100vw-32px))] -translate-x-1/2 -translate-y-1/2 overflow-auto rounded border bg-surface p-6 shadow-xl"
        >
          <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
          <Radix.Description asChild>
            <div className="mt-2 space-y-2 text-sm">{children}</div>
          </Radix.Description>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (isReady && !isPending) onConfirm();
            }}
          >
            {fields && <div className="mt-4 space-y-3">{fields}</div>}
            <div className="mt-6 flex justify-end gap-2">
              <Radix.Cancel asChild>
                <Button>Back</Button>
              </Radix.Cancel>
              <Button type="submit" kind={kind} unavailable={!isReady || isPending} aria-busy={isPending}>
                {verb}
              </Button>
            </div>
          </form>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
