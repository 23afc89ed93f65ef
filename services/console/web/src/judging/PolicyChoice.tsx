import { useQuery } from "@tanstack/react-query";
import { judgesQuery } from "@/api/judges";
import { useTenant } from "@/api/tenants";
import { Field, Select } from "@/ui/controls/field";

type PolicyChoiceProps = {
  value: string;
  onChange: (reference: string) => void;
  error?: string;
  /** By what is judged where none is chosen. */
  none?: string;
};

/** Name of the policy of all that names none: what validators are set to. Nothing is asked for by it. */
export const DEFAULT_POLICY = "default";

/** Choice of a judge policy: its current version, unless a reference that was given names another. */
export function PolicyChoice({ value, onChange, error, none = "The validators' own settings" }: PolicyChoiceProps) {
  const policies = useQuery(judgesQuery(useTenant())).data?.items ?? [];
  const named = policies.filter(({ name, current }) => name !== DEFAULT_POLICY && current != null);
  const isListed = value === "" || named.some(({ name }) => name === value);
  return (
    <Field label="Judge policy" error={error}>
      {(control) => (
        <Select {...control} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">{none}</option>
          {!isListed && <option value={value}>{value}</option>}
          {named.map(({ name, current }) => (
            <option key={name} value={name}>
              {name} (version {current})
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}
