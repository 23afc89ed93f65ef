import { useNavigate } from "@tanstack/react-router";
import { Controller, FormProvider, useForm } from "react-hook-form";
import { placeErrors } from "@/api/form";
import type { Policy } from "@/api/types";
import { Button } from "@/ui/button";
import { Field, Input, Select, TextArea } from "@/ui/field";
import { toast } from "@/ui/toast";
import { ProblemState } from "../ProblemState";
import { AgentChoice } from "./AgentChoice";
import { CriteriaEditor } from "./CriteriaEditor";
import { LabelsEditor } from "./LabelsEditor";
import { useCreateJob } from "./mutations";
import { PayloadEditor } from "./PayloadEditor";
import { PolicyFields } from "./PolicyFields";
import { JOB_FIELDS, type JobValues, newJobOf, payloadProblem } from "./values";

const PRIORITIES = ["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"];

/** What a job is, and how it is to be done. The server has the last word; what it says stands at its field. */
export function JobForm({ initial, policy }: { initial: JobValues; policy?: Policy }) {
  const form = useForm<JobValues>({ defaultValues: initial, mode: "onTouched" });
  const { register, control, handleSubmit, setError, formState, watch } = form;
  const create = useCreateJob();
  const navigate = useNavigate();
  const { errors } = formState;
  const submit = (isExecuted: boolean) =>
    handleSubmit((values) => {
      create.mutate(
        { body: newJobOf(values, policy), isExecuted },
        {
          onSuccess: ({ job, refused }) => {
            if (refused) toast("The job was created, but not executed", refused.detail || refused.title);
            void navigate({ to: "/jobs/$id", params: { id: job.id } });
          },
          onError: (error) => placeErrors(error, JOB_FIELDS, setError),
        },
      );
    })();
  const isForNobody = watch("who") === "later";
  return (
    <FormProvider {...form}>
      <form
        noValidate
        className="space-y-5"
        onSubmit={(event) => {
          event.preventDefault();
          void submit(false);
        }}
      >
        <Field label="Title" error={errors.title?.message}>
          {(field) => <Input {...field} {...register("title", { required: "It needs a title." })} />}
        </Field>
        <Field label="Description" hint="What is to be done; the agent gets it." error={errors.description?.message}>
          {(field) => <TextArea {...field} rows={4} {...register("description")} />}
        </Field>
        <Controller
          control={control}
          name="acceptance_criteria"
          rules={{
            validate: (all) => all.some(({ text }) => text.trim() !== "") || "It needs at least one criterion.",
          }}
          render={({ field: { value, onChange }, fieldState: { error } }) => (
            <CriteriaEditor value={value} onChange={onChange} error={error?.message} />
          )}
        />
        <AgentChoice />
        <Controller
          control={control}
          name="payload"
          rules={{ validate: payloadProblem }}
          render={({ field: { value, onChange }, fieldState: { error } }) => (
            <PayloadEditor value={value} onChange={onChange} error={error?.message ?? payloadProblem(value)} />
          )}
        />
        <div className="grid gap-3 sm:grid-cols-3">
          <Field label="Tenant" error={errors.tenant?.message}>
            {(field) => <Input {...field} {...register("tenant")} />}
          </Field>
          <Field label="Priority" error={errors.priority?.message}>
            {(field) => (
              <Select {...field} {...register("priority")}>
                {PRIORITIES.map((each) => (
                  <option key={each} value={each}>
                    {each}
                    {{ "9": ", first", "5": ", normal", "0": ", last" }[each]}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Field label="Not before" hint="No execution begins earlier." error={errors.not_before?.message}>
            {(field) => <Input {...field} type="datetime-local" {...register("not_before")} />}
          </Field>
        </div>
        <Controller
          control={control}
          name="labels"
          render={({ field: { value, onChange }, fieldState: { error } }) => (
            <LabelsEditor value={value} onChange={onChange} error={error?.message} />
          )}
        />
        <PolicyFields />
        <ProblemState error={create.error} placed={JOB_FIELDS} />
        <div className="flex flex-wrap justify-end gap-2 border-t py-4">
          <Button type="submit" unavailable={create.isPending} aria-busy={create.isPending}>
            Create
          </Button>
          <Button
            kind="primary"
            unavailable={create.isPending || isForNobody}
            title={isForNobody ? "It needs somebody to do it first." : undefined}
            aria-busy={create.isPending}
            onClick={() => void submit(true)}
          >
            Create and execute
          </Button>
        </div>
      </form>
    </FormProvider>
  );
}
