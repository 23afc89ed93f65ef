import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export type Tab<T extends string> = { value: T; label: string; content: ReactNode };

type TabsProps<T extends string> = {
  label: string;
  tabs: Tab<T>[];
  value: T;
  onChange: (value: T) => void;
  /** Shown at the end of the line of tabs. */
  aside?: ReactNode;
  /** Whether what is shown is as high as it is, and does not scroll by itself. */
  isWhole?: boolean;
};

// The content scrolls within the room that is left: of its column, or of most of a small screen.
const CONTENT = "mt-3 min-h-0 grow -outline-offset-2 data-[state=inactive]:hidden";
const SCROLLS = "overflow-auto max-lg:max-h-[70dvh]";

export function Tabs<T extends string>({ label, tabs, value, onChange, aside, isWhole }: TabsProps<T>) {
  return (
    <Radix.Root value={value} onValueChange={(next) => onChange(next as T)} className="flex min-h-0 grow flex-col">
      <div className="flex flex-wrap items-center justify-between gap-2 border-b">
        <Radix.List aria-label={label} className="flex flex-wrap">
          {tabs.map((tab) => (
            <Radix.Trigger
              key={tab.value}
              value={tab.value}
              className="-mb-px h-8 -outline-offset-2 pointer-coarse:h-11 border-b-2 border-transparent px-2.5 whitespace-nowrap text-muted hover:text-text data-[state=active]:border-accent data-[state=active]:text-text"
            >
              {tab.label}
            </Radix.Trigger>
          ))}
        </Radix.List>
        {aside}
      </div>
      {tabs.map((tab) => (
        <Radix.Content key={tab.value} value={tab.value} className={cn(CONTENT, !isWhole && SCROLLS)} tabIndex={0}>
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
