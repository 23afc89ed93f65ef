import { useQuery } from "@tanstack/react-query";
import { SlidersHorizontal, X } from "lucide-react";
import { Fragment, type RefObject, useState } from "react";
import { agentName, agentsQuery } from "@/api/agents";
import { Button } from "@/ui/controls/button";
import { Select } from "@/ui/controls/field";
import { FilterChips } from "./FilterChips";
import { isFiltered, type JobsSearch, TEXT_MAX } from "./jobs-search";
import { LabelFilter } from "./LabelFilter";
import { TextFilter } from "./TextFilter";
import { TimeFilter } from "./TimeFilter";

type FilterBarProps = {
  search: JobsSearch;
  /** Whether all filters but the search are behind a button. */
  isNarrow: boolean;
  /** Changes the filters. Typing replaces the address, choosing adds to the history. */
  onChange: (change: Partial<JobsSearch>, replace?: boolean) => void;
  onClear: () => void;
  textRef: RefObject<HTMLInputElement | null>;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Bar of filters; their values are the address. */
export function FilterBar(props: FilterBarProps) {
  const { search, isNarrow, onChange, onClear, textRef } = props;
  const [isOpen, setOpen] = useState(false);
  const [clears, setClears] = useState(0);
  return (
    <search className="flex min-w-0 grow basis-0 flex-wrap items-start gap-2 max-sm:basis-full">
      <Fragment key={clears}>
        <TextFilter
          name="Search jobs"
          placeholder="Search  /"
          maxLength={TEXT_MAX}
          value={search.text ?? ""}
          onType={(text) => onChange({ text: text || undefined }, true)}
          inputRef={textRef}
        />
        {isNarrow && (
          <Button aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            <SlidersHorizontal aria-hidden size={14} /> Filters
          </Button>
        )}
        {(isOpen || !isNarrow) && <OtherFilters search={search} onChange={onChange} />}
      </Fragment>
      <Button
        kind="quiet"
        size="icon"
        aria-label="Clear the filters"
        title="Clear the filters"
        className={isFiltered(search) ? "" : "invisible max-sm:hidden"}
        onClick={() => {
          setClears(clears + 1); // discard drafts, too
          onClear();
        }}
      >
        <X aria-hidden size={14} />
      </Button>
      <FilterChips search={search} isAll={isNarrow && !isOpen} onChange={onChange} />
    </search>
  );
}

/** Filters other than the search. */
function OtherFilters({ search, onChange }: Pick<FilterBarProps, "search" | "onChange">) {
  const labels = search.label ?? [];
  const agents = useQuery(agentsQuery);
  const isUnknown = search.agent !== undefined && !agents.data?.some(({ id }) => id === search.agent);
  return (
    <>
      <Select
        aria-label="Agent"
        className="w-36 max-sm:grow"
        value={search.agent ?? ""}
        onChange={(event) => onChange({ agent: event.target.value || undefined })}
      >
        <option value="">Any agent</option>
        {isUnknown && <option value={search.agent}>{search.agent}</option>}
        {agents.data?.map((agent) => (
          <option key={agent.id} value={agent.id}>
            {agentName(agent)}
          </option>
        ))}
      </Select>
      <TimeFilter search={search} onChange={onChange} />
      <TextFilter
        name="Tenant"
        value={search.tenant ?? ""}
        onType={(tenant) => onChange({ tenant: tenant.trim() || undefined }, true)}
      />
      <TextFilter
        name="Batch"
        value={search.batch ?? ""}
        check={(batch) => (batch.trim() === "" || UUID.test(batch.trim()) ? null : "A batch is named by a UUID.")}
        onType={(batch) => onChange({ batch: batch.trim() || undefined }, true)}
      />
      <LabelFilter labels={labels} onAdd={(label) => onChange({ label: [...labels, label] })} />
    </>
  );
}
