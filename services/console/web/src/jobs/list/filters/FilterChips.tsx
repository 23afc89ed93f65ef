import { X } from "lucide-react";
import { useAgentNames } from "@/api/agents";
import { listFilters } from "@/jobs/list/search/describe-search";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { toIntlZone, useZone } from "@/ui/display/time";

type FilterChipsProps = { search: JobsSearch; onChange: (change: Partial<JobsSearch>) => void };

/** Chips of the filters that are set, each with a button to remove it. */
export function FilterChips({ search, onChange }: FilterChipsProps) {
  const zone = toIntlZone(useZone()[0]);
  const { nameOf } = useAgentNames();
  const filters = listFilters(search, zone, nameOf);
  if (filters.length === 0) return null;
  return (
    <ul aria-label="Filters" className="flex w-full flex-wrap gap-1">
      {filters.map(({ words, without }) => (
        <li key={words} className="max-w-full">
          <button
            type="button"
            aria-label={`Remove the filter ${words}`}
            onClick={(event) => {
              event.currentTarget.closest("search")?.querySelector("input")?.focus();
              onChange(without);
            }}
            className="inline-flex min-h-6 max-w-full items-center gap-1 rounded border bg-sunken px-2 text-xs hover:border-control pointer-coarse:min-h-11"
          >
            <bdi className="truncate">{words}</bdi>
            <X aria-hidden size={12} className="shrink-0" />
          </button>
        </li>
      ))}
    </ul>
  );
}
