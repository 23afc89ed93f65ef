import { useEffect, useRef } from "react";
import { useFormContext } from "react-hook-form";
import { POLICY_FIELDS, type PolicyValues } from "@/policy/policy";
import { Field, Input, Select } from "@/ui/controls/field";

/** Fields of the policy of a form with one; folded, and opened when one is not valid. `unset`: what holds else. */
export function PolicyFields({ unset = "the agent's, or else the service's default" }: { unset?: string }) {
  const { register, formState } = useFormContext<{ policy: PolicyValues }>();
  const wrong = formState.errors.policy;
  const fold = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    // Opened for an error, and not closed while it is being corrected.
    if (wrong && fold.current) fold.current.open = true;
  }, [wrong]);
  return (
    <details ref={fold} className="rounded border p-3">
      <summary className="min-h-6 font-medium">
        Policy <span className="font-normal text-muted">how it is run; empty: {unset}</span>
      </summary>
      <div className="grid gap-3 pt-3 sm:grid-cols-2">
        {POLICY_FIELDS.map((field) => {
          const { key, label, kind } = field;
          const choices = "choices" in field ? field.choices : undefined;
          const isNumber = kind === "whole" || kind === "number" || kind === "money";
          return (
            <Field
              key={key}
              label={label}
              hint={"hint" in field ? field.hint : undefined}
              error={wrong?.[key]?.message}
            >
              {(control) =>
                choices ? (
                  <Select {...control} {...register(`policy.${key}`)}>
                    <option value="">Not set</option>
                    {Object.entries(choices).map(([value, words]) => (
                      <option key={value} value={value}>
                        {words}
                      </option>
                    ))}
                  </Select>
                ) : (
                  <Input
                    {...control}
                    type={isNumber ? "number" : "text"}
                    step={kind === "whole" ? 1 : "any"}
                    {...register(`policy.${key}`)}
                  />
                )
              }
            </Field>
          );
        })}
      </div>
    </details>
  );
}
