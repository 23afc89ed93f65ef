import { useEffect, useRef } from "react";
import { useFormContext } from "react-hook-form";
import type { JobValues } from "@/jobs/form/model/job-values";
import { POLICY_FIELDS } from "@/jobs/form/model/policy";
import { Field, Input, Select } from "@/ui/controls/field";

/** Fields of the policy; folded, and opened when one is not valid. */
export function PolicyFields() {
  const { register, formState } = useFormContext<JobValues>();
  const wrong = formState.errors.policy;
  const fold = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    // Opened for an error, and not closed while it is being corrected.
    if (wrong && fold.current) fold.current.open = true;
  }, [wrong]);
  return (
    <details ref={fold} className="rounded border p-3">
      <summary className="min-h-6 font-medium">
        Policy <span className="font-normal text-muted">how it is run; empty: the agent's, or the service's own</span>
      </summary>
      <div className="grid gap-3 pt-3 sm:grid-cols-2">
        {POLICY_FIELDS.map((field) => {
          const { key, label, kind } = field;
          const choices = "choices" in field ? field.choices : undefined;
          const isNumber = kind === "whole" || kind === "number";
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
                    <option value="">As set elsewhere</option>
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
