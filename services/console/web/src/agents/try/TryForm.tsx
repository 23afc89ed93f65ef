import { useNavigate } from "@tanstack/react-router";
import { Phone } from "lucide-react";
import { FormProvider, useForm } from "react-hook-form";
import { showFieldErrors } from "@/api/field-errors";
import { useRefusal } from "@/api/me";
import { ProblemState } from "@/api/ProblemState";
import { useKeptForm } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { FormField } from "@/ui/controls/form-field";
import { EMPTY_TRY, type TryValues, toNewTry, useTryAgent } from "./tries";

/** Fields at which the form can show an error of the server, by the names of its requests. */
const FIELDS = ["title", "description", "payload"] as const;

/** Form of what an agent is asked in a try. */
export function TryForm({ agentId }: { agentId: string }) {
  const form = useForm<TryValues>({ defaultValues: EMPTY_TRY });
  useKeptForm("try", form);
  const { handleSubmit, setError } = form;
  const ask = useTryAgent(agentId);
  const refused = useRefusal()("create_agent_try");
  const navigate = useNavigate();
  const submit = handleSubmit(
    (values) =>
      ask.mutate(toNewTry(values), {
        onSuccess: ({ id }) =>
          void navigate({
            to: "/agents/$id/try",
            params: { id: agentId },
            search: { try: id },
            resetScroll: false,
          }),
        onError: (error) => showFieldErrors(error, FIELDS, setError),
      }),
    () => ask.reset(),
  );
  return (
    <FormProvider {...form}>
      <form aria-label="What it is asked" onSubmit={submit} className="space-y-3" noValidate>
        <FormField at="title" label="Title" kind="line" example="A try" dir="auto" />
        <FormField at="description" label="Description" kind="lines" dir="auto" />
        <FormField
          at="criteria"
          label="Criteria"
          kind="lines"
          hint="One per line; nobody judges by them here."
          dir="auto"
        />
        <FormField at="payload" label="Payload" kind="json" hint="JSON; empty for none." dir="auto" />
        <FormField at="check" label="Check how it keeps to its protocol, too, by further calls" kind="flag" />
        <ProblemState error={ask.error} placed={FIELDS} />
        <Button type="submit" kind="primary" unavailable={ask.isPending} reason={refused} aria-busy={ask.isPending}>
          <Phone aria-hidden size={14} /> Call it
        </Button>
      </form>
    </FormProvider>
  );
}
