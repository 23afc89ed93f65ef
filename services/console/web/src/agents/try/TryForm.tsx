import { useNavigate } from "@tanstack/react-router";
import { Phone } from "lucide-react";
import { useForm } from "react-hook-form";
import { showFieldErrors } from "@/api/field-errors";
import { ProblemState } from "@/api/ProblemState";
import { useKeptForm } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { Checkbox, Field, Input, TextArea } from "@/ui/controls/field";
import { EMPTY_TRY, explainInvalidPayload, type TryValues, toNewTry, useTryAgent } from "./tries";

/** Fields at which the form can show an error of the server, by the names of its requests. */
const FIELDS = ["title", "description", "payload"] as const;

/** Form of what an agent is asked in a try. */
export function TryForm({ agentId }: { agentId: string }) {
  const form = useForm<TryValues>({ defaultValues: EMPTY_TRY });
  useKeptForm("try", form);
  const { register, handleSubmit, setError, formState } = form;
  const ask = useTryAgent(agentId);
  const navigate = useNavigate();
  const submit = handleSubmit((values) =>
    ask.mutate(toNewTry(values), {
      onSuccess: ({ id }) => void navigate({ to: "/agents/$id/try", params: { id: agentId }, search: { try: id } }),
      onError: (error) => showFieldErrors(error, FIELDS, setError),
    }),
  );
  const wrong = (field: keyof TryValues) => formState.errors[field]?.message;
  return (
    <form aria-label="What it is asked" onSubmit={submit} className="space-y-3" noValidate>
      <Field label="Title" error={wrong("title")}>
        {(control) => <Input {...control} placeholder="A try" dir="auto" {...register("title")} />}
      </Field>
      <Field label="Description" error={wrong("description")}>
        {(control) => <TextArea {...control} dir="auto" {...register("description")} />}
      </Field>
      <Field label="Criteria" hint="One per line; nobody judges by them here." error={wrong("criteria")}>
        {(control) => <TextArea {...control} dir="auto" {...register("criteria")} />}
      </Field>
      <Field label="Payload" hint="JSON; empty for none." error={wrong("payload")}>
        {(control) => (
          <TextArea
            {...control}
            rows={6}
            dir="auto"
            className="font-mono text-xs"
            {...register("payload", { validate: explainInvalidPayload })}
          />
        )}
      </Field>
      <label className="flex items-center gap-2">
        <Checkbox {...register("check")} /> Check how it keeps to its protocol, too, by further calls
      </label>
      <ProblemState error={ask.error} placed={FIELDS} />
      <Button type="submit" kind="primary" unavailable={ask.isPending} aria-busy={ask.isPending}>
        <Phone aria-hidden size={14} /> Call it
      </Button>
    </form>
  );
}
