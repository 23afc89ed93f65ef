import { FormProvider, useForm, useWatch } from "react-hook-form";
import { api } from "@/api/client";
import { showFieldErrors } from "@/api/field-errors";
import { isOutdated, Outdated } from "@/api/Outdated";
import { ProblemState } from "@/api/ProblemState";
import type { Agent } from "@/api/types";
import { useKeptForm, useKeptState } from "@/lib/kept";
import { PolicyFields } from "@/policy/PolicyFields";
import { Button } from "@/ui/controls/button";
import { Checkbox, Field, Input, Select, TextArea } from "@/ui/controls/field";
import { Dialog } from "@/ui/overlays/dialog";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { AGENT_FIELDS, type AgentValues, explainInvalidHeaders, toAgentValues, toNewAgent } from "./agent-values";
import { CardSection } from "./CardSection";
import { useSaveAgent } from "./mutations";
import { findProtocol, PROTOCOLS } from "./protocols";
import { SettingFields } from "./SettingFields";

/** Form that registers or edits an agent, with the policy of its jobs. */
export function AgentDialog({ agent, onClose }: { agent?: Agent; onClose: () => void }) {
  const form = useForm<AgentValues>({ defaultValues: toAgentValues(agent) });
  useKeptForm("agent", form);
  const { register, handleSubmit, setError, formState } = form;
  const [base, setBase] = useKeptState("base", agent);
  const save = useSaveAgent(base);
  const hasChanged = isOutdated(save.error);
  const submit = handleSubmit((values) => {
    const onError = (error: Error) => showFieldErrors(error, AGENT_FIELDS, setError);
    save.mutate(toNewAgent(values, base), { onSuccess: onClose, onError });
  });
  const { leave, warning } = useUnsavedWarning(formState.isDirty, onClose);
  const protocol = useWatch({ control: form.control, name: "protocol" });
  const wrong = (field: keyof AgentValues) => formState.errors[field]?.message as string | undefined;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && leave()}
      title={agent ? `Edit ${agent.name}` : "Register an agent"}
      description="The service that does the work: how it is called, and what it can do."
    >
      <FormProvider {...form}>
        <form onSubmit={submit} className="space-y-3" noValidate>
          <Field label="Name" error={wrong("name")}>
            {(control) => <Input {...control} {...register("name", { required: "It needs a name." })} />}
          </Field>
          {!agent && (
            <Field label="Id" hint="Optional; the jobstore makes one when it is left empty." error={wrong("id")}>
              {(control) => <Input {...control} className="font-mono" {...register("id")} />}
            </Field>
          )}
          {agent ? (
            <p>
              <span className="font-medium">Protocol</span> {findProtocol(agent.protocol)?.explained ?? agent.protocol}.{" "}
              <span className="text-xs text-muted">It is fixed: for another one, register another agent.</span>
            </p>
          ) : (
            <Field label="Protocol" error={wrong("protocol")}>
              {(control) => (
                <Select {...control} {...register("protocol")}>
                  {Object.entries(PROTOCOLS).map(([value, { explained }]) => (
                    <option key={value} value={value}>
                      {explained}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
          )}
          <Field label="Address" error={wrong("url")}>
            {(control) => (
              <Input
                {...control}
                type="url"
                placeholder={findProtocol(protocol)?.address}
                {...register("url", { required: "It needs an address." })}
              />
            )}
          </Field>
          <SettingFields protocol={protocol} />
          {agent?.protocol === "a2a" && <CardSection agent={agent} />}
          <Field
            label="Capabilities"
            hint="One per line. Jobs that ask for them can be matched with this agent."
            error={wrong("capabilities")}
          >
            {(control) => <TextArea {...control} {...register("capabilities")} />}
          </Field>
          <Field
            label="Headers"
            hint="Sent with every call, one per line: Authorization=env:SIGNOFF_AGENT_NAME, or X-Key=file:path. The values stay with the executors."
            error={wrong("headers")}
          >
            {(control) => (
              <TextArea
                {...control}
                className="font-mono"
                {...register("headers", { validate: explainInvalidHeaders })}
              />
            )}
          </Field>
          <label className="flex items-center gap-2">
            <Checkbox {...register("enabled")} /> It is given work
          </label>
          <label className="flex items-center gap-2">
            <Checkbox {...register("deterministic")} /> Its result may be reused for an identical request
          </label>
          <PolicyFields unset="the service's own; a job's own policy comes first" />
          {base && hasChanged ? (
            <Outdated
              name={base.name}
              base={base}
              read={() => api.get("/api/agents/{agent_id}", { path: { agent_id: base.id } })}
              onLoad={(newest) => {
                form.reset(toAgentValues(newest), { keepDirtyValues: true });
                setBase(newest);
                save.reset();
              }}
            />
          ) : (
            <ProblemState error={save.error} placed={AGENT_FIELDS} />
          )}
          <div className="flex justify-end gap-2 pt-2">
            <Button onClick={leave}>Back</Button>
            <Button type="submit" kind="primary" unavailable={save.isPending || hasChanged} aria-busy={save.isPending}>
              {agent ? "Save" : "Register"}
            </Button>
          </div>
        </form>
      </FormProvider>
      {warning}
    </Dialog>
  );
}
