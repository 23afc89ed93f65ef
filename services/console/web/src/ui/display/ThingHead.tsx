import { MoreHorizontal } from "lucide-react";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/controls/button";
import { CopyItems } from "@/ui/overlays/copy-items";
import type { Copy } from "@/ui/overlays/copy-menu";
import { Menu, MenuItem } from "@/ui/overlays/menu";

/** Fact of a thing; one that is not set is left out. */
export type Fact = readonly [name: string, value: ReactNode];
/** Entry of the menu; `reason`: why it is impossible. */
export type Choice = { words: string; onSelect: () => void; reason?: string | null };

type ThingHeadProps = {
  badge: ReactNode;
  title: string;
  /** In one line; a value that is null, undefined, false or empty is left out. */
  facts: readonly Fact[];
  /** Button of the likely step. */
  step?: ReactNode;
  choices: readonly Choice[];
  /** What it can be copied as: `copiesOf` its kind and id. */
  copies?: readonly Copy[];
};

const isSet = ([, value]: Fact) => value != null && value !== false && value !== "";

/** Head of every page of a thing: its badge, title and facts, one button for the likely step, and all else in a menu. */
export function ThingHead({ badge, title, facts, step, choices, copies }: ThingHeadProps) {
  const [isWhole, setWhole] = useState(false);
  const { ref, isCut } = useIsCut();
  return (
    <header ref={ref} className="space-y-2 border-b pb-4 max-sm:pb-2">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-2 max-sm:gap-y-1">
        <div className="flex min-w-0 flex-wrap items-center gap-2 max-sm:contents">
          {badge}
          <h1
            data-cut={!isWhole || undefined}
            className={cn("text-xl font-semibold wrap-anywhere max-sm:order-last max-sm:w-full", !isWhole && CUT_TITLE)}
          >
            <bdi>{title}</bdi>
          </h1>
        </div>
        <div role="group" aria-label="Actions" className="flex items-center gap-1">
          {step}
          <Menu
            trigger={
              <Button size="icon" kind="quiet" aria-label={`More for ${title}`}>
                <MoreHorizontal aria-hidden size={16} />
              </Button>
            }
          >
            {choices.map(({ words, onSelect, reason }) => (
              <MenuItem key={words} onSelect={onSelect} reason={reason}>
                {words}
              </MenuItem>
            ))}
            {copies && <CopyItems copies={copies} />}
          </Menu>
        </div>
      </div>
      <dl
        data-cut={!isWhole || undefined}
        className={cn(
          "flex flex-wrap gap-x-6 gap-y-1 text-muted [&_dd]:inline [&_dd]:text-text [&_dt]:inline",
          !isWhole && CUT_FACTS,
        )}
      >
        {facts.filter(isSet).map(([name, value]) => (
          <div key={name} className="wrap-anywhere">
            <dt>{name} </dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {(isCut || isWhole) && (
        <Button
          kind="quiet"
          size="small"
          className="sm:hidden"
          aria-expanded={isWhole}
          onClick={() => setWhole(!isWhole)}
        >
          {isWhole ? "Less" : "All of it"}
        </Button>
      )}
    </header>
  );
}

// On a phone a head is no more than a head, however much there is to say: what the page is for follows it.
const CUT_TITLE = "max-sm:line-clamp-2";
const CUT_FACTS = "max-sm:max-h-11 max-sm:overflow-hidden";

/** Return whether some of what a head says is cut. */
function useIsCut() {
  const ref = useRef<HTMLElement>(null);
  const [isCut, setCut] = useState(false);
  useLayoutEffect(() => {
    const head = ref.current;
    if (!head) return;
    const measure = () =>
      setCut([...head.querySelectorAll("[data-cut]")].some((part) => part.scrollHeight > part.clientHeight + 1));
    const observer = new ResizeObserver(measure);
    observer.observe(head);
    measure(); // before anything is seen of it
    return () => observer.disconnect();
  }, []);
  return { ref, isCut };
}
