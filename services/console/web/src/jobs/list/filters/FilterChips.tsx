import { X } from "lucide-react";
import { useAgentNames } from "@/api/agents";
import { toIntlZone, useZone } from "@/ui/display/time";
import { describeTime, type JobsSearch } from "./jobs-search";

type FilterChipsProps = {
  search: JobsSearch;
  /** Whether to show filters that a visible field shows already. */
  isAll: boolean;
  onChange: (change: Partial<JobsSearch>) => void;
};

/** Chips of the filters that are set, each with a button to remove it. */
export function FilterChips({ search, isAll, onChange }: FilterChipsProps) {
  const zone = toIntlZone(useZone()[0]);
  const { nameOf } = useAgentNames();
  const { label = [], from, to } = search;
  const chips: [string | undefined, Partial<JobsSearch>][] = label.map((each) => {
    const rest = label.filter((other) => other !== each);
    return [`label ${each}`, { label: rest.length > 0 ? rest : undefined }];
  });
  if (from || to || isAll)
    chips.push([describeTime(search, zone), { period: undefined, from: undefined, to: undefined }]);
  for (const name of isAll ? (["agent", "tenant", "batch"] as const) : []) {
    const value = search[name];
    chips.push([value && `${name} ${name === "agent" ? nameOf(value) : value}`, { [name]: undefined }]);
  }
  const shown = chips.filter(([text]) => text !== undefined);
  if (shown.length === 0) return null;
  return (
    <ul aria-label="Filters" className="flex w-full flex-wrap gap-1">
      {shown.map(([text, change]) => (
        <li key={text} className="max-w-full">
          <button
            type="button"
            aria-label={`Remove the filter ${text}`}
            onClick={(event) => {
              event.currentTarget.closest("search")?.querySelector("input")?.focus();
              onChange(change);
            }}
            className="inline-flex min-h-6 max-w-full items-center gap-1 rounded border bg-sunken px-2 text-xs hover:border-control pointer-coarse:min-h-11"
          >
            <span className="truncate">{text}</span>
            <X aria-hidden size={12} className="shrink-0" />
          </button>
        </li>
      ))}
    </ul>
  );
}
