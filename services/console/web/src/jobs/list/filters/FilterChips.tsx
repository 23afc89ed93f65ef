import { X } from "lucide-react";
import { type KeyboardEvent, lazy, type MouseEvent, Suspense, useState } from "react";
import { useAgentNames } from "@/api/agents";
import { type FilterWords, listFilters } from "@/jobs/list/search/describe-search";
import type { SearchProps } from "@/jobs/list/search/jobs-search";
import { loadPart } from "@/lib/load-part";
import { Skeleton } from "@/ui/display/states";
import { toIntlZone, useZone } from "@/ui/display/time";
import { Popover } from "@/ui/overlays/popover";

/** Read when one is first opened. */
const FilterMenu = lazy(() => loadPart(() => import("./menus/FilterMenu")));

type ChipsProps = SearchProps & { onType: (query: string) => void };

/** Chip of each filter that is set: it opens the filter's menu, or goes back into the line as it is typed. */
export function FilterChips({ search, onChange, onType }: ChipsProps) {
  const zone = toIntlZone(useZone()[0]);
  const { nameOf } = useAgentNames();
  const filters = listFilters(search, zone, nameOf);
  if (filters.length === 0) return null;
  return (
    <ul aria-label="Filters" className="flex w-full flex-wrap gap-1 max-sm:flex-nowrap max-sm:overflow-x-auto">
      {filters.map((each, index) => (
        // By its place, so that a menu stays open while its values change.
        // biome-ignore lint/suspicious/noArrayIndexKey: as said
        <Chip key={index} {...each} search={search} onChange={onChange} onType={onType} />
      ))}
    </ul>
  );
}

function Chip({ words, without, filter, query, search, onChange, onType }: ChipsProps & FilterWords) {
  const [isOpen, setOpen] = useState(false);
  const remove = ({ currentTarget }: MouseEvent | KeyboardEvent) => {
    currentTarget.closest("search")?.querySelector("input")?.focus();
    onChange(without);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (isOpen || !["Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    remove(event);
  };
  const edit = (
    <button
      type="button"
      aria-label={`Edit the filter ${words}`}
      title={words}
      className="inline-flex min-w-0 items-center rounded-l px-2 hover:bg-surface"
      onKeyDown={onKeyDown}
      onClick={filter ? undefined : () => onType(query)}
    >
      <bdi className="truncate">{words}</bdi>
    </button>
  );
  return (
    <li className="inline-flex min-h-6 max-w-full rounded max-sm:shrink-0 border bg-sunken text-xs pointer-coarse:min-h-11">
      {filter ? (
        <Popover label={`Filter ${words}`} open={isOpen} onOpenChange={setOpen} trigger={edit}>
          <Suspense fallback={<Skeleton className="h-40 w-64" />}>
            <FilterMenu filter={filter} search={search} onChange={onChange} onClose={() => setOpen(false)} />
          </Suspense>
        </Popover>
      ) : (
        edit
      )}
      <button
        type="button"
        aria-label={`Remove the filter ${words}`}
        onClick={remove}
        className="inline-flex min-w-6 shrink-0 items-center justify-center rounded-r hover:bg-surface pointer-coarse:min-w-11"
      >
        <X aria-hidden size={12} />
      </button>
    </li>
  );
}
