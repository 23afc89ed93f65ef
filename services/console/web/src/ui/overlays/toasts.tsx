import { X } from "lucide-react";
import { Toast as Radix } from "radix-ui";
import { useSyncExternalStore } from "react";
import { Button } from "@/ui/controls/button";
import { shownToasts } from "@/ui/feedback/toast";

export function Toasts() {
  const shown = useSyncExternalStore(shownToasts.subscribe, shownToasts.get);
  return (
    <Radix.Provider swipeDirection="right" duration={6_000}>
      {shown.map(({ id, title, detail }) => (
        <Radix.Root
          key={id}
          onOpenChange={(open) => !open && shownToasts.close(id)}
          className="flex items-start gap-3 rounded border bg-surface p-3 shadow-lg"
        >
          <div className="grow">
            <Radix.Title className="font-medium">{title}</Radix.Title>
            {detail && <Radix.Description className="text-muted">{detail}</Radix.Description>}
          </div>
          <Radix.Close asChild>
            <Button kind="quiet" size="icon" aria-label="Close">
              <X aria-hidden size={14} />
            </Button>
          </Radix.Close>
        </Radix.Root>
      ))}
      <Radix.Viewport className="fixed right-4 bottom-4 z-50 flex max-sm:bottom-20 w-[min(360px,calc(100vw-32px))] flex-col gap-2" />
    </Radix.Provider>
  );
}
