import { useEffect, useRef } from "react";
import { useFormContext } from "react-hook-form";
import { POLICY_FIELDS, type PolicyValues } from "@/policy/policy";
import { FormField } from "@/ui/controls/form-field";

/** Fields of the policy of a form with one; folded, and opened when one is not valid. `unset`: what holds else. */
export function PolicyFields({ unset = "the agent's, or else the service's default" }: { unset?: string }) {
  const { formState } = useFormContext<{ policy: PolicyValues }>();
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
        {POLICY_FIELDS.map(({ key, ...words }) => (
          <FormField key={key} at={`policy.${key}`} {...words} />
        ))}
      </div>
    </details>
  );
}
