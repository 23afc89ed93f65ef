import { Plus } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import type { SearchProps } from "@/jobs/list/search/jobs-search";
import { loadPart } from "@/lib/load-part";
import { useMedia } from "@/lib/use-media";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { Dialog } from "@/ui/overlays/dialog";
import { Popover } from "@/ui/overlays/popover";

/** Read when it is first opened. */
const FilterChoice = lazy(() => loadPart(() => import("./menus/FilterChoice")));

/** Button that adds a filter: a menu of the fields, then of the values of one; on a phone they are a sheet. */
export function AddFilter(props: SearchProps) {
  const [isOpen, setOpen] = useState(false);
  const isNarrow = useMedia("(max-width: 640px)");
  const content = (
    <Suspense fallback={<Skeleton className="h-72 w-72 max-w-full" />}>
      <FilterChoice {...props} onClose={() => setOpen(false)} />
    </Suspense>
  );
  const button = (
    <Button aria-haspopup="dialog" onClick={isNarrow ? () => setOpen(true) : undefined}>
      <Plus aria-hidden size={14} /> Filter
    </Button>
  );
  if (!isNarrow)
    return (
      <Popover label="Add a filter" open={isOpen} onOpenChange={setOpen} trigger={button}>
        {content}
      </Popover>
    );
  return (
    <>
      {button}
      <Dialog open={isOpen} onOpenChange={setOpen} title="Filter" className={SHEET}>
        {content}
      </Dialog>
    </>
  );
}

const SHEET =
  "top-auto bottom-0 left-0 max-h-[85dvh] w-full translate-x-0 rounded-b-none p-4 pb-[calc(1rem+env(safe-area-inset-bottom))]";
