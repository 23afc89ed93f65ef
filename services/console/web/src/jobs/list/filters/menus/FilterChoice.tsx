import { Command } from "cmdk";
import { ChevronLeft } from "lucide-react";
import { useState } from "react";
import { FILTERS, type Filter } from "@/jobs/fields";
import { isSet } from "@/jobs/list/search/jobs-search";
import { Button } from "@/ui/controls/button";
import FilterMenu, { type MenuProps } from "./FilterMenu";
import { ITEM } from "./ValueMenu";

/** Fields that have a menu; the counts are that of the status. */
const CHOICES = FILTERS.filter(({ kind }) => kind !== "status");
/** What is asked of a field, where its name does not say it. */
const HINTS: Partial<Record<Filter["word"], string>> = {
  reason: "what jobs wait for",
  code: "why it was not completed",
  criterion: "what was not met",
  batch: "whose items they are",
};

/** Menu of all fields, found by typing, and then that of the one that was chosen. */
export default function FilterChoice(props: MenuProps) {
  const [filter, choose] = useState<Filter | null>(null);
  if (filter !== null) {
    return (
      <>
        <Button kind="quiet" size="small" className="-mx-2 -mt-1 mb-3" onClick={() => choose(null)}>
          <ChevronLeft aria-hidden size={14} /> <span className="sr-only">Back to all filters from</span> {filter.name}
        </Button>
        <FilterMenu {...props} filter={filter} />
      </>
    );
  }
  return (
    <Command label="Find a filter" className="-m-2 w-72 max-w-full max-sm:w-auto">
      <Command.Input
        autoFocus
        aria-label="Find a filter"
        placeholder="Filter by …"
        className="h-8 w-full rounded border border-control bg-surface px-2 pointer-coarse:h-11"
      />
      <Command.List label="Filters" className="mt-2">
        {CHOICES.map((each) => (
          <Command.Item
            key={each.word}
            value={each.word}
            keywords={[HINTS[each.word] ?? ""]}
            className={ITEM}
            onSelect={() => choose(each)}
          >
            {each.name}
            <span className="grow text-right text-xs text-muted">
              {isSet(props.search, each) ? "is set" : HINTS[each.word]}
            </span>
          </Command.Item>
        ))}
      </Command.List>
    </Command>
  );
}
