import { useNavigate } from "@tanstack/react-router";
import { FormProvider, useForm } from "react-hook-form";
import { useAgentNames } from "@/api/agents";
import { showFieldErrors } from "@/api/field-errors";
import { ProblemState } from "@/api/ProblemState";
import type { Policy } from "@/api/types";
import { JobFields } from "@/jobs/form/fields/JobFields";
import { type JobValues, PLACED, toNewJob } from "@/jobs/form/model/job-values";
import { useKeptForm } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { toast } from "@/ui/feedback/toast";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { useCreateJob } from "./mutations";

/** Form of a new job. The server validates; its errors stand at their fields. */
export function JobForm({ initial, policy }: { initial: JobValues; policy?: Policy }) {
  const form = useForm<JobValues>({ defaultValues: initial, mode: "onTouched" });
  useKeptForm("job", form);
  const { handleSubmit, setError, formState, watch } = form;
  const create = useCreateJob();
  const navigate = useNavigate();
  const { nameAllIn } = useAgentNames();
  const { warning } = useUnsavedWarning(formState.isDirty);
  const submit = (executesAtOnce: boolean) =>
    handleSubmit((values) => {
      create.mutate(
        { body: toNewJob(values, policy), executesAtOnce },
        {
          onSuccess: ({ job, refused }) => {
            if (refused) toast("The job was created, but not executed", nameAllIn(refused.detail || refused.title));
            void navigate({ to: "/jobs/$id", params: { id: job.id }, ignoreBlocker: true });
          },
          onError: (error) => showFieldErrors(error, PLACED, setError),
        },
      );
    });
  const isForNobody = watch("who") === "later";
  return (
    <FormProvider {...form}>
      <form noValidate className="space-y-5" onSubmit={submit(false)}>
        <JobFields />
        <ProblemState error={create.error} placed={PLACED} />
        <div className="flex flex-wrap justify-end gap-2 border-t py-4">
          <Button type="submit" unavailable={create.isPending} aria-busy={create.isPending}>
            Create
          </Button>
          <Button
            kind="primary"
            unavailable={create.isPending || isForNobody}
            title={isForNobody ? "It needs an agent first." : undefined}
            aria-busy={create.isPending}
            onClick={submit(true)}
          >
            Create and execute
          </Button>
        </div>
      </form>
      {warning}
    </FormProvider>
  );
}
