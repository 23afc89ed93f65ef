import { useDraft } from "@/lib/use-draft";
import { Field, Input } from "@/ui/controls/field";

type TimeFieldProps = {
  label: string;
  value: string;
  onType: (text: string) => void;
  check: (text: string) => string | null;
};

/** Field of a date and a time, which takes effect after a pause; says below why it is not valid. */
export function TimeField({ label, value, onType, check }: TimeFieldProps) {
  const draft = useDraft({ value, onCommit: onType, check });
  return (
    <Field label={label} error={draft.error ?? undefined}>
      {(control) => (
        <Input
          {...control}
          type="datetime-local"
          value={draft.text}
          onChange={(event) => draft.onChange(event.target.value)}
          onBlur={draft.onBlur}
          onKeyDown={draft.onKeyDown}
        />
      )}
    </Field>
  );
}
