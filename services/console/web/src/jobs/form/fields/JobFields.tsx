import { Controller, type RefCallBack, useFormContext } from "react-hook-form";
import { isFilled } from "@/jobs/form/model/criteria";
import { explainInvalidPayload, type JobValues } from "@/jobs/form/model/job-values";
import { Field, Input, Select, TextArea } from "@/ui/controls/field";
import { CriteriaEditor } from "./CriteriaEditor";
import { LabelsEditor } from "./LabelsEditor";
import { PayloadEditor } from "./PayloadEditor";

const PRIORITIES = ["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"];

/** Make a ref through which the form focuses one part of an editor, when that part is not valid. */
const focusOn = (ref: RefCallBack, part: string) => (editor: HTMLElement | null) =>
  ref(editor && { focus: () => editor.querySelector<HTMLElement>(part)?.focus() });

/** Fields of a job's title, description and criteria; the title takes the focus where the form is a page. */
export function TextFields({ autoFocus }: { autoFocus?: boolean }) {
  const { register, control, formState } = useFormContext<JobValues>();
  const { errors } = formState;
  return (
    <>
      <Field label="Title" error={errors.title?.message}>
        {(field) => (
          <Input {...field} autoFocus={autoFocus} {...register("title", { required: "It needs a title." })} />
        )}
      </Field>
      <Field label="Description" hint="What is to be done; the agent gets it." error={errors.description?.message}>
        {(field) => <TextArea {...field} rows={4} {...register("description")} />}
      </Field>
      <Controller
        control={control}
        name="acceptance_criteria"
        rules={{ validate: (all) => all.some(isFilled) || "It needs at least one criterion." }}
        render={({ field: { value, onChange, ref }, fieldState: { error } }) => (
          <div ref={focusOn(ref, "[data-criterion]")}>
            <CriteriaEditor value={value} onChange={onChange} error={error?.message} />
          </div>
        )}
      />
    </>
  );
}

export function PayloadField() {
  return (
    <Controller<JobValues, "payload">
      name="payload"
      rules={{ validate: explainInvalidPayload }}
      render={({ field: { value, onChange, ref }, fieldState: { error } }) => (
        <div ref={focusOn(ref, "[role=textbox]")}>
          <PayloadEditor value={value} onChange={onChange} error={error?.message ?? explainInvalidPayload(value)} />
        </div>
      )}
    />
  );
}

export function PriorityField() {
  const { register, formState } = useFormContext<JobValues>();
  return (
    <Field label="Priority" error={formState.errors.priority?.message}>
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
  );
}

export function LabelsField() {
  return (
    <Controller<JobValues, "labels">
      name="labels"
      render={({ field: { value, onChange }, fieldState: { error } }) => (
        <LabelsEditor value={value} onChange={onChange} error={error?.message} />
      )}
    />
  );
}
