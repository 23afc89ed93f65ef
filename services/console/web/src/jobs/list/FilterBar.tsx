import { useQuery } from "@tanstack/react-query";
import { Search, SlidersHorizontal, X } from "lucide-react";
import { type RefObject, useEffect, useState } from "react";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
import { agentsQuery } from "../queries";
import { isFiltered, type JobsSearch, PERIODS, type Period } from "./filters";

type FilterBarProps = {
  search: JobsSearch;
  /** All but the search stands behind a button. */
  isNarrow: boolean;
  /** Typing replaces the address; choosing adds to the history. */
  onChange: (change: Partial<JobsSearch>, replace?: boolean) => void;
  onClear: () => void;
  textRef: RefObject<HTMLInputElement | null>;
};

const TYPED_MS = 250;

/** The filters, which are the address. */
export function FilterBar(props: FilterBarProps) {
  const { search, isNarrow, onChange, onClear, textRef } = props;
  const [isOpen, setOpen] = useState(false);
  return (
    <search className="flex flex-wrap items-center gap-2">
      <Typed
        name="Search jobs"
        placeholder="Search  /"
        value={search.text ?? ""}
        onType={(text) => onChange({ text: text || undefined }, true)}
        inputRef={textRef}
      />
      {isNarrow && (
        <Button aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <SlidersHorizontal aria-hidden size={14} /> Filters
        </Button>
      )}
      {(isOpen || !isNarrow) && <Others search={search} onChange={onChange} />}
      <Button
        kind="quiet"
        size="icon"
        aria-label="Clear the filters"
        title="Clear the filters"
        className={isFiltered(search) ? "" : "invisible max-sm:hidden"}
        onClick={onClear}
      >
        <X aria-hidden size={14} />
      </Button>
    </search>
  );
}

/** All filters but the search. */
function Others({ search, onChange }: Pick<FilterBarProps, "search" | "onChange">) {
  const agents = useQuery(agentsQuery);
  const known = agents.data?.map((agent) => agent.id) ?? [];
  const ids = search.agent && !known.includes(search.agent) ? [search.agent, ...known] : known;
  return (
    <>
      <Select
        aria-label="Agent"
        className="w-36"
        value={search.agent ?? ""}
        onChange={(event) => onChange({ agent: event.target.value || undefined })}
      >
        <option value="">Any agent</option>
        {ids.map((id) => (
          <option key={id} value={id}>
            {id}
          </option>
        ))}
      </Select>
      <Select
        aria-label="Created"
        className="w-36"
        value={search.period ?? ""}
        onChange={(event) => onChange({ period: (event.target.value || undefined) as Period | undefined })}
      >
        <option value="">Any time</option>
        {Object.keys(PERIODS).map((period) => (
          <option key={period} value={period}>
            Last {period}
          </option>
        ))}
      </Select>
      <Typed
        name="Tenant"
        value={search.tenant ?? ""}
        onType={(tenant) => onChange({ tenant: tenant || undefined }, true)}
      />
      <Typed
        name="Batch"
        value={search.batch ?? ""}
        onType={(batch) => onChange({ batch: batch || undefined }, true)}
      />
      <Typed
        name="Label"
        placeholder="name:value"
        value={search.label?.join(" ") ?? ""}
        onType={(text) => onChange({ label: labelsOf(text) }, true)}
      />
    </>
  );
}

function labelsOf(text: string): string[] | undefined {
  const labels = text.split(/\s+/).filter((label) => label.indexOf(":") > 0);
  return labels.length > 0 ? labels : undefined;
}

type TypedProps = {
  name: string;
  placeholder?: string;
  value: string;
  onType: (text: string) => void;
  inputRef?: RefObject<HTMLInputElement | null>;
};

/** A text that takes effect once one stops typing; it follows the address when that changes otherwise. */
function Typed({ name, placeholder = name, value, onType, inputRef }: TypedProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what is typed starts the clock
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onType(text), TYPED_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const isSearch = inputRef !== undefined;
  return (
    <span className={isSearch ? "relative w-52 max-sm:min-w-0 max-sm:grow" : "relative w-28"}>
      {isSearch && <Search aria-hidden size={14} className="absolute top-1/2 left-2 -translate-y-1/2 text-muted" />}
      <Input
        ref={inputRef}
        type="search"
        aria-label={name}
        placeholder={placeholder}
        className={isSearch ? "pl-7" : ""}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </span>
  );
}
