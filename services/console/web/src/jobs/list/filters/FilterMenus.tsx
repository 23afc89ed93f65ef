import { ChevronDown } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { cn } from "@/lib/cn";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { Popover } from "@/ui/overlays/popover";

/** Read when one is first opened. */
const FilterMenu = lazy(() => loadPart(() => import("@/jobs/list/filters/menus/FilterMenu")));

/** Fields that have a menu, by the part of the address that each sets. */
const MENUS = {
  agent: { name: "Agent", sets: ["agent"] },
  tenant: { name: "Tenant", sets: ["tenant"] },
  batch: { name: "Batch", sets: ["batch"] },
  label: { name: "Label", sets: ["label"] },
  code: { name: "Code", sets: ["code"] },
  criterion: { name: "Criterion", sets: ["criterion"] },
  cost: { name: "Cost", sets: ["costMin", "costMax"] },
  duration: { name: "Duration", sets: ["durationMin", "durationMax"] },
  created: { name: "Created", sets: ["period", "from", "to"] },
} as const satisfies Record<string, { name: string; sets: readonly (keyof JobsSearch)[] }>;
export type MenuField = keyof typeof MENUS;
const FIELDS = Object.keys(MENUS) as MenuField[];

type FilterMenusProps = { search: JobsSearch; onChange: (change: Partial<JobsSearch>, replace?: boolean) => void };

/** Menus of the filters, which wrap as a whole; each one reads its values when it is opened. */
export function FilterMenus({ search, onChange }: FilterMenusProps) {
  const [open, setOpen] = useState<MenuField | null>(null);
  const menus = FIELDS.map((field) => {
    const { name, sets } = MENUS[field];
    const isSet = sets.some((key) => search[key] !== undefined);
    return (
      <Popover
        key={field}
        label={name}
        open={open === field}
        onOpenChange={(isOpen) => setOpen(isOpen ? field : null)}
        trigger={
          <Button className={cn("gap-0.5 px-2", isSet && "border-accent bg-running-tint")}>
            {name}
            {isSet && <span className="sr-only">, is set</span>}
            <ChevronDown aria-hidden size={12} className="text-muted" />
          </Button>
        }
      >
        <Suspense fallback={<Skeleton className="h-40 w-64" />}>
          <FilterMenu field={field} search={search} onChange={onChange} onClose={() => setOpen(null)} />
        </Suspense>
      </Popover>
    );
  });
  return <div className="flex flex-wrap gap-1 pointer-coarse:gap-2">{menus}</div>;
}
