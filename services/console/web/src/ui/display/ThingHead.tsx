import { MoreHorizontal } from "lucide-react";
import type { ReactNode } from "react";
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
  return (
    <header className="space-y-2 border-b pb-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="flex min-w-0 flex-wrap items-center gap-2">
          {badge}
          <h1 className="text-xl font-semibold wrap-anywhere">
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
      <dl className="flex flex-wrap gap-x-6 gap-y-1 text-muted [&_dd]:inline [&_dd]:text-text [&_dt]:inline">
        {facts.filter(isSet).map(([name, value]) => (
          <div key={name} className="wrap-anywhere">
            <dt>{name} </dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </header>
  );
}
