import { type FormEvent, useState } from "react";
import type { Filter, Kind } from "@/jobs/fields";
import { boundsOf, paramsOf } from "@/jobs/list/search/jobs-search";
import { AMOUNT_PARSERS } from "@/jobs/list/search/parse-query";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import type { MenuProps } from "./FilterMenu";

const HINTS: Partial<Record<Kind, string>> = { money: "In dollars, such as 0.1.", span: "Such as 60s, 5m or 2h." };

type Bound = { value?: number; error?: string };

/** Menu of a range: at least, and at most. */
export function RangeMenu({ filter, search, onChange, onClose }: MenuProps & { filter: Filter }) {
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
