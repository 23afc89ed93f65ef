import type { FormEventHandler, ReactNode } from "react";
import { type FieldValues, FormProvider, type UseFormReturn } from "react-hook-form";
import { Button } from "@/ui/controls/button";
import { Dialog } from "@/ui/overlays/dialog";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { isOutdated } from "./Outdated";
import { ProblemState } from "./ProblemState";

type FormDialogProps<Values extends FieldValues> = {
  form: UseFormReturn<Values>;
  title: string;
  description: string;
  onSubmit: FormEventHandler;
  onClose: () => void;
  /** What saves the form, and the fields that show its errors. */
  save: { error: Error | null; isPending: boolean };
  placed: readonly string[];
  /** What the button does, why it cannot, and whether it does so now. */
  verb: string;
  refused?: string | null;
  isBusy?: boolean;
  isReady?: boolean;
  /** What is said of what has changed meanwhile. */
  outdated?: ReactNode;
  children: ReactNode;
};

/** Dialog with a form that is saved by one button. What was begun is not left unasked. */
export function FormDialog<Values extends FieldValues>(props: FormDialogProps<Values>) {
  const { form, title, description, onSubmit, onClose, save, placed, verb, refused, outdated, children } = props;
  const hasChanged = isOutdated(save.error);
  const { isBusy = save.isPending, isReady = !hasChanged } = props;
  const { leave, warning } = useUnsavedWarning(form.formState.isDirty, onClose);
  return (
    <Dialog open onOpenChange={(open) => !open && leave()} title={title} description={description}>
      <FormProvider {...form}>
        <form onSubmit={onSubmit} className="space-y-3" noValidate>
          {children}
          {hasChanged && outdated ? outdated : <ProblemState error={save.error} placed={placed} />}
          <div className="flex justify-end gap-2 pt-2">
            <Button onClick={leave}>Back</Button>
            <Button
              type="submit"
              kind="primary"
              unavailable={isBusy || !isReady}
              reason={refused ?? null}
              aria-busy={isBusy}
            >
              {verb}
            </Button>
          </div>
        </form>
      </FormProvider>
      {warning}
    </Dialog>
  );
}
