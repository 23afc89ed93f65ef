import { FormProvider, useForm } from "react-hook-form";
import { showFieldErrors } from "@/api/field-errors";
import { isOutdated } from "@/api/Outdated";
import { ProblemState } from "@/api/ProblemState";
import type { Job } from "@/api/types";
import type { FormField } from "@/jobs/fields";
import { JobFields } from "@/jobs/form/fields/JobFields";
import {
  findChanges,
  formatField,
  type JobValues,
  PLACED,
  rebase,
  toJobPatch,
  toJobValues,
} from "@/jobs/form/model/job-values";
import { explainEditRefusal } from "@/jobs/model/status";
import { useKeptForm, useKeptState } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { Dialog } from "@/ui/overlays/dialog";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { useEditJob } from "./mutations";

/** Part of the form to focus first. */
export type Part = "all" | "criteria";
type EditJobDialogProps = { job: Job; part: Part; onClose: () => void };

/** Form that edits a job at the version that was seen; when the job has changed meanwhile, it says so first. */
export function EditJobDialog({ job, part, onClose }: EditJobDialogProps) {
  const [base, setBase] = useKeptState("base", job);
  const form = useForm<JobValues>({ defaultValues: toJobValues(job), mode: "onTouched" });
  useKeptForm("edit", form);
  const edit = useEditJob();
  const values = form.watch();
  const changed = findChanges(values, base);
  const { leave, warning } = useUnsavedWarning(changed.length > 0, onClose);
  const refusal = explainEditRefusal(job);
  const hasChanged = isOutdated(edit.error);
  const isReady = changed.length > 0 && refusal === null && !edit.isPending && !hasChanged;
  const save = form.handleSubmit((filled) => {
    const onError = (error: Error) => showFieldErrors(error, PLACED, form.setError);
    edit.mutate(
      { id: job.id, version: base.version, patch: toJobPatch(filled, base) },
      { onSuccess: onClose, onError },
    );
  });
  const goOn = () => {
    form.reset(rebase(values, base, job));
    setBase(job);
    edit.reset();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && leave()}
      title="Edit the job"
      description="What is asked for from now on. Existing results and verdicts stay as they are."
      className="w-[min(760px,calc(100vw-32px))] scroll-pb-20"
      initialFocus={part === "criteria" ? "[data-criterion]" : "input"}
    >
      <FormProvider {...form}>
        <form
          noValidate
          className="space-y-5"
          onSubmit={(event) => {
            event.preventDefault();
            if (isReady) void save();
          }}
        >
          <JobFields isEdit />
          <div className="sticky -bottom-6 z-10 -mx-6 -mb-6 space-y-3 border-t bg-surface px-6 py-4">
            {hasChanged ? (
              <Outdated job={job} theirs={findChanges(toJobValues(job), base)} mine={changed} onGoOn={goOn} />
            ) : (
              <ProblemState error={edit.error} placed={PLACED} />
            )}
            <div className="flex flex-wrap items-center justify-end gap-2">
              {refusal && <p className="mr-auto text-muted">{refusal}</p>}
              <Button onClick={leave}>Back</Button>
              <Button type="submit" kind="primary" unavailable={!isReady} aria-busy={edit.isPending}>
                Save
              </Button>
            </div>
          </div>
        </form>
      </FormProvider>
      {warning}
    </Dialog>
  );
}

type OutdatedProps = { job: Job; theirs: FormField[]; mine: FormField[]; onGoOn: () => void };

/** Warning that the job has changed since the form was opened: which fields, and what going on will do. */
function Outdated({ job, theirs, mine, onGoOn }: OutdatedProps) {
  const both = theirs.filter((field) => mine.includes(field));
  const only = theirs.filter((field) => !mine.includes(field));
  const words = (fields: FormField[]) => fields.map(({ word }) => word).join(", ");
  return (
    <div role="alert" className="space-y-2 rounded border border-resubmit bg-resubmit-tint p-3">
      <p className="font-medium text-resubmit">The job has changed meanwhile; nothing was saved.</p>
      {theirs.length === 0 && <p>What it asks for is the same. Going on saves your changes over the newer version.</p>}
      {both.length > 0 && <p>Changed elsewhere too: {words(both)}. Going on replaces this with your change:</p>}
      {both.map((field) => (
        <pre key={field.key} className="max-h-40 overflow-auto font-mono text-xs break-words whitespace-pre-wrap">
          {formatField(job, field)}
        </pre>
      ))}
      {only.length > 0 && <p>Changed elsewhere: {words(only)}. Going on keeps that, beside what you changed.</p>}
      <Button size="small" onClick={onGoOn}>
        Go on
      </Button>
    </div>
  );
}
