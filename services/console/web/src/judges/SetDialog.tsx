import { useState } from "react";
import { findField } from "@/api/field-errors";
import { ProblemState } from "@/api/ProblemState";
import { toApiError } from "@/api/problem";
import type { NamedCriteriaSet } from "@/api/types";
import { CriteriaLint, replaceCriterion } from "@/judging/CriteriaLint";
import { Button } from "@/ui/controls/button";
import { Field, Input, TextArea } from "@/ui/controls/field";
import { Dialog } from "@/ui/overlays/dialog";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { usePutSet } from "./mutations";
import { useOnceSaved } from "./use-once-saved";

type SetDialogProps = {
  /** The set that gets a version; without one, a new set is made. */
  named?: NamedCriteriaSet;
  onClose: () => void;
  onSaved?: (version: number) => void;
};

const PLACED = ["name", "acceptance_criteria", "criteria", "note"];

/** Form of a version of a criteria set, in its text form, which is looked through while one types. */
export function SetDialog({ named, onClose, onSaved }: SetDialogProps) {
  const before = named?.versions?.[0]?.acceptance_criteria ?? "";
  const [name, setName] = useState(named?.name ?? "");
  const [text, setText] = useState(before);
  const [note, setNote] = useState("");
  const put = usePutSet();
  const errors = put.error ? toApiError(put.error).fields : [];
  const wrong = (...fields: string[]) => errors.find(({ field }) => findField(field, fields) !== undefined)?.message;
  const { leave, warning } = useUnsavedWarning(!put.isSuccess && (text !== before || note !== ""), onClose);
  useOnceSaved(put.data?.version, (version) => {
    onClose();
    onSaved?.(version);
  });
  const isReady = name.trim() !== "" && text.trim() !== "";
  const save = () =>
    put.mutate({
      name: name.trim(),
      newest: named?.newest,
      acceptance_criteria: text,
      note: note.trim() || undefined,
    });
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && leave()}
      title={named ? `New version of ${named.name}` : "Make a criteria set"}
      description="It is current at once. Executions that were requested before are judged by the version of then."
      className="w-[min(720px,calc(100vw-32px))]"
    >
      <form
        noValidate
        className="space-y-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !put.isPending) save();
        }}
      >
        {!named && (
          <Field label="Name" error={wrong("name")} hint="Small letters, digits and . _ -">
            {(control) => <Input {...control} value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
        )}
        <Field
          label="Criteria"
          error={wrong("acceptance_criteria", "criteria")}
          hint="One a line. Before one: optional: it does not decide; never: what must not be; check: what needs no judge."
        >
          {(control) => (
            <TextArea {...control} rows={8} value={text} onChange={(event) => setText(event.target.value)} />
          )}
        </Field>
        <CriteriaLint text={text} onReplace={(place, by) => setText(replaceCriterion(text, place, by))} />
        <Field label="Note" error={wrong("note")} hint="Optional: what is new.">
          {(control) => (
            <Input {...control} maxLength={1_000} value={note} onChange={(event) => setNote(event.target.value)} />
          )}
        </Field>
        <ProblemState error={put.error} placed={PLACED} />
        <div className="flex justify-end gap-2 pt-2">
          <Button onClick={leave}>Back</Button>
          <Button type="submit" kind="primary" unavailable={!isReady || put.isPending} aria-busy={put.isPending}>
            Save
          </Button>
        </div>
      </form>
      {warning}
    </Dialog>
  );
}
