import type { UseMutationResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ProblemState } from "@/api/ProblemState";
import { useKeptState } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import { Dialog } from "@/ui/overlays/dialog";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import type { NewVersion } from "./mutations";
import { useOnceSaved } from "./use-once-saved";

export type VersionDialogProps<N> = {
  /** What gets a version; without it, a name with its first version is made. */
  named?: N;
  onClose: () => void;
  onSaved?: (version: number) => void;
};

type VersionFormProps<Body extends object> = VersionDialogProps<{ name: string; newest: number }> & {
  /** What is made: "judge policy", "criteria set". */
  what: string;
  description: string;
  put: UseMutationResult<{ version: number }, Error, NewVersion & Body>;
  /** What the version says, as the service takes it; null while it cannot be sent. */
  toBody: ((name: string) => Body) | null;
  isChanged: boolean;
  /** Error of a field of the form, and the fields that show theirs. */
  wrong: (field: string) => string | undefined;
  placed: readonly string[];
  children: ReactNode;
};

/** Form of a version of a name: what it says, and a note on it. What was begun is not left unasked. */
export function VersionDialog<Body extends object>(props: VersionFormProps<Body>) {
  const { named, onClose, onSaved, what, description, put, toBody, isChanged, wrong, placed, children } = props;
  const [typed, setName] = useKeptState("name", named?.name ?? "");
  const [note, setNote] = useKeptState("note", "");
  const name = typed.trim();
  const { leave, warning } = useUnsavedWarning(!put.isSuccess && (isChanged || note !== ""), onClose);
  useOnceSaved(put.data?.version, (version) => {
    onClose();
    onSaved?.(version);
  });
  const isReady = toBody !== null && name !== "" && !put.isPending;
  const save = () =>
    toBody && put.mutate({ name, newest: named?.newest, note: note.trim() || undefined, ...toBody(name) });
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && leave()}
      title={named ? `New version of ${named.name}` : `Make a ${what}`}
      description={description}
      className="w-[min(760px,calc(100vw-32px))]"
    >
      <form
        noValidate
        className="space-y-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady) save();
        }}
      >
        {!named && (
          <Field label="Name" error={wrong("name")} hint="Small letters, digits and . _ -">
            {(control) => <Input {...control} value={typed} onChange={(event) => setName(event.target.value)} />}
          </Field>
        )}
        {children}
        <Field label="Note" error={wrong("note")} hint="Optional: what is new.">
          {(control) => (
            <Input {...control} maxLength={1_000} value={note} onChange={(event) => setNote(event.target.value)} />
          )}
        </Field>
        <ProblemState error={put.error} placed={placed} />
        <div className="flex justify-end gap-2 pt-2">
          <Button onClick={leave}>Back</Button>
          <Button type="submit" kind="primary" unavailable={!isReady} aria-busy={put.isPending}>
            Save
          </Button>
        </div>
      </form>
      {warning}
    </Dialog>
  );
}
