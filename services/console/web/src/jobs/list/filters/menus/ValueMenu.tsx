import { useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { Check } from "lucide-react";
import { type ReactNode, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import type { JobFacets } from "@/api/types";
import { facetsQuery } from "@/jobs/list/search/facets";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { formatCount } from "@/lib/format";
import { Skeleton } from "@/ui/display/states";

type ValueMenuProps = {
  /** As the API names it: "agent", "label:team". */
  field: string;
  search: JobsSearch;
  chosen: readonly string[];
  onChoose: (value: string) => void;
  /** Whether a value that is not listed may be typed. */
  isFree?: boolean;
  placeholder?: string;
};

export const ITEM =
  "flex min-h-8 cursor-pointer items-center gap-2 rounded px-2 py-1 aria-selected:bg-sunken pointer-coarse:min-h-11";

/** Values of a field with their counts, found by typing. */
export function ValueMenu({ field, search, chosen, onChoose, isFree = true, placeholder }: ValueMenuProps) {
  const [text, setText] = useState("");
  const [shown] = useState(search); // what is chosen meanwhile changes no counts, and moves nothing
  const { data, error } = useQuery(facetsQuery(field, shown));
  const typed = text.trim();
  const facets = data?.facets ?? [];
  const missing = chosen.filter((value) => !facets.some((each) => each.value === value));
  const isNew = isFree && typed !== "" && ![...facets.map(({ value }) => value), ...missing].includes(typed);
  const item = (value: string, name: string | null | undefined, count: ReactNode) => (
    <Command.Item
      key={value}
      value={value}
      keywords={name ? [name] : []}
      className={ITEM}
      onSelect={() => onChoose(value)}
    >
      <Check aria-hidden size={14} className={chosen.includes(value) ? "shrink-0" : "invisible shrink-0"} />
      <span className="min-w-0 grow wrap-anywhere" title={value}>
        <bdi>{name ?? value}</bdi>
        {chosen.includes(value) && <span className="sr-only">, chosen</span>}
      </span>
      <span className="shrink-0 pl-2 text-muted">{count}</span>
    </Command.Item>
  );
  return (
    <Command label={`Values of ${field}`} filter={contains} className="-m-2 w-72 max-w-full max-sm:w-auto">
      <Command.Input
        autoFocus
        aria-label={`Find a value of ${field}`}
        placeholder={placeholder ?? (isFree ? "Find, or type another" : "Find")}
        value={text}
        onValueChange={setText}
        className="h-8 w-full rounded border border-control bg-surface px-2 pointer-coarse:h-11"
      />
      <div className="mt-2 max-h-72 min-h-24 overflow-auto">
        {!data && !error && <Skeleton className="h-24" />}
        <Command.List label={`Values of ${field}`}>
          {data && missing.map((value) => item(value, undefined, "0"))}
          {data && facets.map(({ value, name, count }) => item(value, name, formatCapped(count, data)))}
          {isNew && (
            <Command.Item forceMount value={`\n${typed}`} className={ITEM} onSelect={() => onChoose(typed)}>
              <span className="wrap-anywhere">
                Use “<bdi>{typed}</bdi>”
              </span>
            </Command.Item>
          )}
        </Command.List>
        {data && facets.length + missing.length === 0 && !isNew && (
          <p className="p-2 text-muted">No job that matches has one.</p>
        )}
      </div>
      <ProblemState error={error} />
      <p className="px-2 text-xs text-muted empty:hidden">{data && describeBounds(data)}</p>
    </Command>
  );
}

/** Whether a value or its name contains what is typed; the order stays that of the counts. */
const contains = (value: string, sought: string, keywords: string[] = []) =>
  [value, ...keywords].some((each) => each.toLowerCase().includes(sought.trim().toLowerCase())) ? 1 : 0;

export const formatCapped = (count: number, { capped_at: cap }: JobFacets) =>
  count >= cap ? `${formatCount(cap)}+` : formatCount(count);

function describeBounds({ facets, searched, next_page_token: more }: JobFacets): string {
  const words = [
    more != null && `The ${formatCount(facets.length)} most frequent.`,
    searched != null && `Counted among the newest ${formatCount(searched)} that match.`,
  ];
  return words.filter(Boolean).join(" ");
}
