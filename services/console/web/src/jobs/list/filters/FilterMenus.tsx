import { ChevronDown } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { FILTERS, type Filter } from "@/jobs/fields";
import { isSet, type JobsSearch } from "@/jobs/list/search/jobs-search";
import { cn } from "@/lib/cn";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { Popover } from "@/ui/overlays/popover";

/** Read when one is first opened. */
const FilterMenu = lazy(() => loadPart(() => import("@/jobs/list/filters/menus/FilterMenu")));

const MENUS = FILTERS.filter(({ kind }) => kind !== "status"); // the counts are its menu

type FilterMenusProps = { search: JobsSearch; onChange: (change: Partial<JobsSearch>, replace?: boolean) => void };

/** Menus of the filters, which wrap as a whole; each one reads its values when it is opened. */
export function FilterMenus({ search, onChange }: FilterMenusProps) {
  const [open, setOpen] = useState<Filter | null>(null);
  const menus = MENUS.map((filter) => {
    const { word, name } = filter;
    const isMarked = isSet(search, filter);
    return (
      <Popover
        key={word}
        label={name}
        open={open === filter}
        onOpenChange={(isOpen) => setOpen(isOpen ? filter : null)}
        trigger={
          <Button className={cn("gap-0.5 px-2", isMarked && "border-accent bg-running-tint")}>
            {name}
            {isMarked && <span className="sr-only">, is set</span>}
            <ChevronDown aria-hidden size={12} className="text-muted" />
          </Button>
        }
      >
        <Suspense fallback={<Skeleton className="h-40 w-64" />}>
          <FilterMenu filter={filter} search={search} onChange={onChange} onClose={() => setOpen(null)} />
        </Suspense>
      </Popover>
    );
  });
  return <div className="flex flex-wrap gap-1 pointer-coarse:gap-2">{menus}</div>;
}
