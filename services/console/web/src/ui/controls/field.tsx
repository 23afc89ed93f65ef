import { type ComponentProps, type ReactNode, useId } from "react";
import { cn } from "@/lib/cn";

const CONTROL =
  "w-full rounded border border-control bg-surface px-2 text-sm text-text pointer-coarse:min-h-11 aria-invalid:border-failed";

type FieldProps = {
  label: string;
  hint?: ReactNode;
  error?: string;
  /** Whether the label stands behind the control, as that of a box does. */
  isInline?: boolean;
  children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
};

/** Control with its label, hint and error. */
export function Field({ label, hint, error, isInline = false, children }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const control = children({
    id,
    "aria-describedby": described || undefined,
    "aria-invalid": error ? true : undefined,
  });
  return (
    <div>
      {isInline ? (
        <div className="flex items-center gap-2">
          {control} <label htmlFor={id}>{label}</label>
        </div>
      ) : (
        <>
          <label htmlFor={id} className="mb-1 block font-medium">
            {label}
          </label>
          {control}
        </>
      )}
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-xs text-muted">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className="mt-1 text-xs text-failed">
          {error}
        </p>
      )}
    </div>
  );
}

export function Input({ className, ...props }: ComponentProps<"input">) {
  return <input {...props} className={cn(CONTROL, "h-8", className)} />;
}

export function TextArea({ className, ...props }: ComponentProps<"textarea">) {
  return <textarea rows={3} {...props} className={cn(CONTROL, "py-1.5", className)} />;
}

/** Native select: it works with every keyboard, screen reader and phone. */
export function Select({ className, ...props }: ComponentProps<"select">) {
  return <select {...props} className={cn(CONTROL, "h-8", className)} />;
}

export function Checkbox({ className, ...props }: Omit<ComponentProps<"input">, "type">) {
  return <input {...props} type="checkbox" className={cn("grid pointer-coarse:size-5", className)} />;
}

type RadioGroupProps<T extends string> = {
  label: string;
  choices: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
};

/** Group of radio buttons. */
export function RadioGroup<T extends string>({ label, choices, value, onChange }: RadioGroupProps<T>) {
  const name = useId();
  return (
    <fieldset>
      <legend className="mb-1 font-medium">{label}</legend>
      <div className="flex flex-wrap gap-x-4">
        {choices.map(([choice, word]) => (
          <label key={choice} className="flex min-h-6 items-center gap-2 pointer-coarse:min-h-11">
            <input type="radio" name={name} checked={choice === value} onChange={() => onChange(choice)} />
            {word}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
