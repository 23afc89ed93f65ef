import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

export type Tab<T extends string> = { value: T; label: string; content: ReactNode };

type TabsProps<T extends string> = {
  label: string;
  tabs: Tab<T>[];
  value: T;
  onChange: (value: T) => void;
  /** Shown at the end of the line of tabs. */
  aside?: ReactNode;
};

// What is shown is as high as it is: the page scrolls, and nothing within it.
const CONTENT = "mt-3 -outline-offset-2 data-[state=inactive]:hidden";

export function Tabs<T extends string>({ label, tabs, value, onChange, aside }: TabsProps<T>) {
  return (
    <Radix.Root value={value} onValueChange={(next) => onChange(next as T)} className="flex flex-col">
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
        <Radix.Content key={tab.value} value={tab.value} className={CONTENT} tabIndex={0}>
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
