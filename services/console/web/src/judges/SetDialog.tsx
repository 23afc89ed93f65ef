import { findField } from "@/api/field-errors";
import { toApiError } from "@/api/problem";
import type { NamedCriteriaSet } from "@/api/types";
import { CriteriaLint, replaceCriterion } from "@/judging/CriteriaLint";
import { useKeptState } from "@/lib/kept";
import { Field, TextArea } from "@/ui/controls/field";
import { usePutSet } from "./mutations";
import { VersionDialog, type VersionDialogProps } from "./VersionDialog";

const PLACED = ["name", "acceptance_criteria", "criteria", "note"];

/** Form of a version of a criteria set, in its text form, which is looked through while one types. */
export function SetDialog(props: VersionDialogProps<NamedCriteriaSet>) {
  const before = props.named?.versions?.[0]?.acceptance_criteria ?? "";
  const [text, setText] = useKeptState("criteria", before);
  const put = usePutSet();
  const errors = put.error ? toApiError(put.error).fields : [];
  const wrong = (...fields: string[]) => errors.find(({ field }) => findField(field, fields) !== undefined)?.message;
  return (
    <VersionDialog
      {...props}
      what="criteria set"
      description="It is current at once. Executions that were requested before are judged by the version that was current then."
      put={put}
      toBody={text.trim() === "" ? null : () => ({ acceptance_criteria: text })}
      isChanged={text !== before}
      wrong={wrong}
      placed={PLACED}
    >
      <Field
        label="Criteria"
        error={wrong("acceptance_criteria", "criteria")}
        hint="One per line. Before one: optional: it does not decide; never: what must not be; check: what needs no judge."
      >
        {(control) => <TextArea {...control} rows={8} value={text} onChange={(event) => setText(event.target.value)} />}
      </Field>
      <CriteriaLint text={text} onReplace={(place, by) => setText(replaceCriterion(text, place, by))} />
    </VersionDialog>
  );
}
