import { type FormEvent, useState } from "react";
import { parseCost, parseSpan } from "@/jobs/list/search/parse-query";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import type { MenuProps } from "./FilterMenu";

const RANGES = {
  cost: { min: "costMin", max: "costMax", parse: parseCost, format: String, hint: "In dollars, such as 0.1." },
  duration: {
    min: "durationMin",
    max: "durationMax",
    parse: parseSpan,
    format: (seconds: number) => `${seconds}s`,
    hint: "Such as 60s, 5m or 2h.",
  },
} as const;

type Bound = { value?: number; error?: string };

/** Menu of a range: at least, and at most. */
export function RangeMenu({ field, search, onChange, onClose }: MenuProps & { field: keyof typeof RANGES }) {
  const { min, max, parse, format, hint } = RANGES[field];
  const show = (value: number | undefined) => (value === undefined ? "" : format(value));
  const [texts, setTexts] = useState({ min: show(search[min]), max: show(search[max]) });
  const [errors, setErrors] = useState<{ min?: string; max?: string }>({});
  const read = (text: string): Bound => {
    try {
      return text.trim() === "" ? {} : { value: parse(text) };
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
    onChange({ [min]: least.value, [max]: most.value });
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
      <p className="text-xs text-muted">{hint} Of jobs whose last execution ended.</p>
      <Button type="submit" kind="primary">
        Apply
      </Button>
    </form>
  );
}
