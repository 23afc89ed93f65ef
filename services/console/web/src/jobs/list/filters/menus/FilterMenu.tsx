import { ChevronLeft } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Filter, Kind } from "@/jobs/fields";
import { boundsOf, paramsOf, parseLabel, type SearchProps, valuesOf } from "@/jobs/list/search/jobs-search";
import { AMOUNT_PARSERS } from "@/jobs/list/search/parse-query";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import { CreatedMenu } from "./CreatedMenu";
import { ValueMenu } from "./ValueMenu";

export type MenuProps = SearchProps & { onClose: () => void };

/** Content of the menu of a field. */
export default function FilterMenu({ filter, ...props }: MenuProps & { filter: Filter }) {
  const { search, onChange, onClose } = props;
  const { word, kind } = filter;
  if (kind === "money" || kind === "span") return <RangeMenu {...props} filter={filter} />;
  if (kind === "time") return <CreatedMenu {...props} />;
  if (kind === "labels") return <LabelMenu {...props} />;
  const chosen = valuesOf(search, word);
  const choose = (value: string) => {
    const isTaken = chosen.includes(value);
    if (kind === "words" || kind === "reason") {
      const next = isTaken ? chosen.filter((each) => each !== value) : [...chosen, value];
      return onChange({ [word]: next.length > 0 ? next : undefined });
    }
    onChange({ [word]: isTaken ? undefined : value });
    onClose();
  };
  return <ValueMenu field={word} search={search} chosen={chosen} onChoose={choose} />;
}

/** Menu of labels: their names, then the values of one. */
function LabelMenu({ search, onChange, onClose }: MenuProps) {
  const { label = [] } = search;
  const [name, setName] = useState<string | null>(null);
  const chosen = label.map(parseLabel);
  const set = (key: string, value: string) => {
    const others = label.filter((each) => parseLabel(each)[0] !== key);
    const next = label.includes(`${key}:${value}`) ? others : [...others, `${key}:${value}`];
    onChange({ label: next.length > 0 ? next : undefined });
    onClose();
  };
  if (name === null) {
    return (
      <ValueMenu
        field="label"
        search={search}
        chosen={chosen.map(([key]) => key)}
        placeholder="Find, or type name:value"
        onChoose={(typed) => {
          const [key, value] = parseLabel(typed);
          if (key !== "" && value !== "") set(key, value);
          else setName(key);
        }}
      />
    );
  }
  return (
    <>
      <Button kind="quiet" size="small" className="-mx-2 -mt-1 mb-3 max-w-full" onClick={() => setName(null)}>
        <ChevronLeft aria-hidden size={14} className="shrink-0" />
        <span className="sr-only">Back to all labels from</span>
        <bdi className="truncate">{name}</bdi>
      </Button>
      <ValueMenu
        key={name}
        field={`label:${name}`}
        search={search}
        chosen={chosen.filter(([key]) => key === name).map(([, value]) => value)}
        onChoose={(value) => set(name, value)}
      />
    </>
  );
}

const HINTS: Partial<Record<Kind, string>> = { money: "In dollars, such as 0.1.", span: "Such as 60s, 5m or 2h." };

type Bound = { value?: number; error?: string };

/** Menu of a range: at least, and at most. */
function RangeMenu({ filter, search, onChange, onClose }: MenuProps & { filter: Filter }) {
  const { kind } = filter;
  const unit = kind === "span" ? "s" : "";
  const [min = "", max = ""] = boundsOf(search, filter).map((value) => (value === undefined ? "" : `${value}${unit}`));
  const [texts, setTexts] = useState({ min, max });
  const [errors, setErrors] = useState<{ min?: string; max?: string }>({});
  const read = (text: string): Bound => {
    try {
      return text.trim() === "" ? {} : { value: AMOUNT_PARSERS[kind]?.(text) };
    } catch (error) {
      return { error: (error as Error).message };
    }
  };
  const apply = (event: FormEvent) => {
    event.preventDefault();
    const [least, most] = [read(texts.min), read(texts.max)];
    const isTurned = least.value !== undefined && most.value !== undefined && least.value > most.value;
    const found = { min: least.error, max: most.error ?? (isTurned ? "Less than “At least”." : undefined) };
    setErrors(found);
    if (found.min || found.max) return;
    onChange(Object.fromEntries(paramsOf(filter).map((name, at) => [name, [least, most][at]?.value])));
    onClose();
  };
  const input = (bound: "min" | "max", label: string) => (
    <Field label={label} error={errors[bound]}>
      {(control) => (
        <Input
          {...control}
          autoFocus={bound === "min"}
          value={texts[bound]}
          onChange={(event) => setTexts({ ...texts, [bound]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <form className="w-56 space-y-3" onSubmit={apply}>
      {input("min", "At least")}
      {input("max", "At most")}
      <p className="text-xs text-muted">{HINTS[kind]} Of jobs whose last execution ended.</p>
      <Button type="submit" kind="primary">
        Apply
      </Button>
    </form>
  );
}
