import type { ComponentProps } from "react";
import { useFormContext } from "react-hook-form";
import { cn } from "@/lib/cn";
import { explainInvalidJson } from "@/lib/exact-json";
import { Checkbox, Field, Input, Select, TextArea } from "./field";

/** What is filled in: `code` and `json` are typed in letters of one width, JSON is checked, `flag` is a box. */
type FieldKind = "line" | "words" | "code" | "lines" | "json" | "number" | "money" | "flag" | "choice";

/** Words of a field, and what kind of value it has. */
export type FieldWords = {
  label: string;
  kind: FieldKind;
  hint?: string;
  example?: string;
  /** What is said where nothing was filled in. */
  required?: string;
  /** Values of a choice, each in words. */
  choices?: Readonly<Record<string, string>>;
};

type FormFieldProps = FieldWords &
  Pick<ComponentProps<"input">, "className" | "dir" | "type" | "min"> & {
    /** Path of the value in the form. */
    at: string;
    /** Say what else is wrong with a text. */
    check?: (text: string) => string | undefined;
  };

/** Field of a form (`FormProvider`), with what is wrong with it. */
export function FormField({ at, label, kind, hint, example, required, choices, check, ...props }: FormFieldProps) {
  const { register, getFieldState, formState } = useFormContext();
  const explain = (value: unknown) => {
    if (typeof value !== "string") return undefined;
    if (value.trim() === "") return required;
    return kind === "json" ? explainInvalidJson(value) : check?.(value);
  };
  const registered = register(at, { validate: explain });
  const { error } = getFieldState(at, formState);
  return (
    <Field label={label} hint={hint} error={error?.message} isInline={kind === "flag"}>
      {(control) => {
        const isMono = kind === "code" || kind === "json";
        const className = cn(isMono && "font-mono", props.className);
        const all = { ...control, ...registered, placeholder: example, ...props, className };
        if (kind === "flag") return <Checkbox {...all} />;
        if (kind === "lines" || kind === "json") {
          return <TextArea {...all} className={cn("field-sizing-content max-h-80 min-h-19", className)} />;
        }
        if (kind === "number" || kind === "money") return <Input type="number" step="any" {...all} />;
        if (kind !== "choice") return <Input {...all} />;
        return (
          <Select {...all}>
            {!required && <option value="">Not set</option>}
            {Object.entries(choices ?? {}).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </Select>
        );
      }}
    </Field>
  );
}
