import { useForm, useWatch } from "react-hook-form";
import { api } from "@/api/client";
import { FormDialog } from "@/api/FormDialog";
import { showFieldErrors } from "@/api/field-errors";
import { useMe, useRefusal } from "@/api/me";
import { Outdated } from "@/api/Outdated";
import { useTenantOfNew } from "@/api/tenants";
import type { Agent } from "@/api/types";
import { useKeptForm, useKeptState } from "@/lib/kept";
import { PolicyFields } from "@/policy/PolicyFields";
import { FormField } from "@/ui/controls/form-field";
import { type AgentValues, explainInvalidHeaders, listFields, toAgentValues, toNewAgent } from "./agent-values";
import { CardSection } from "./CardSection";
import { useSaveAgent } from "./mutations";
import { EXPLAINED, findProtocol } from "./protocols";
import { SettingFields } from "./SettingFields";

/** Form that registers or edits an agent, with the policy of its jobs. */
export function AgentDialog({ agent, onClose }: { agent?: Agent; onClose: () => void }) {
  const form = useForm<AgentValues>({ defaultValues: toAgentValues(agent, useTenantOfNew()) });
  useKeptForm("agent", form);
  const { handleSubmit, setError } = form;
  const [base, setBase] = useKeptState("base", agent);
  const save = useSaveAgent(base);
  const refused = useRefusal()(base ? "patch_agent" : "create_agent");
  const mayShare = useMe()?.all_tenants === true;
  const protocol = useWatch({ control: form.control, name: "protocol" });
  const placed = listFields(protocol, !agent);
  const submit = handleSubmit(
    (values) => {
      const onError = (error: Error) => showFieldErrors(error, placed, setError);
      save.mutate(toNewAgent(values, base), { onSuccess: onClose, onError });
    },
    () => save.reset(), // what the server said is of an earlier form
  );
  return (
    <FormDialog
      form={form}
      title={agent ? `Edit ${agent.name}` : "Register an agent"}
      description="The service that does the work: how it is called, and what it can do."
      onSubmit={submit}
      onClose={onClose}
      save={save}
      placed={placed}
      verb={agent ? "Save" : "Register"}
      refused={refused}
      outdated={
        base && (
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
        )
      }
    >
      <FormField at="name" label="Name" kind="line" required="It needs a name." />
      {!agent && (
        <FormField at="id" label="Id" kind="code" hint="Optional; the jobstore makes one when it is left empty." />
      )}
      {!agent && <FormField at="tenant" label="Tenant" kind="line" hint="Whose it is, for good." />}
      {agent ? (
        <p>
          <span className="font-medium">Protocol</span> {findProtocol(agent.protocol)?.explained ?? agent.protocol}.{" "}
          <span className="text-xs text-muted">
            It is fixed: for another one, register another agent. A change of its settings counts for later requests.
          </span>
        </p>
      ) : (
        <FormField at="protocol" label="Protocol" kind="choice" choices={EXPLAINED} required="It needs a protocol." />
      )}
      <FormField
        at="url"
        label="Address"
        kind="line"
        type="url"
        example={findProtocol(protocol)?.address}
        required="It needs an address."
      />
      {agent?.protocol === "a2a" && <CardSection agent={agent} />}
      <SettingFields protocol={protocol} />
      <FormField
        at="capabilities"
        label="Capabilities"
        kind="lines"
        hint="One per line. Jobs that ask for them can be matched with this agent."
      />
      <FormField
        at="headers"
        label="Headers"
        kind="lines"
        className="font-mono"
        hint="Sent with every call, one per line: Authorization=env:SIGNOFF_AGENT_NAME, or X-Key=file:path. The values stay with the executors."
        check={explainInvalidHeaders}
      />
      <FormField at="enabled" label="It is given work" kind="flag" />
      {mayShare && (
        <FormField
          at="shared"
          label="Shared"
          kind="choice"
          choices={{ yes: "jobs of all tenants may use it", no: "jobs of its own tenant alone" }}
          hint="Where it is not set, a new one is shared if it is of default."
        />
      )}
      <FormField at="deterministic" label="Its result may be reused for an identical request" kind="flag" />
      <PolicyFields unset="the service's own; a job's own policy comes first" />
    </FormDialog>
  );
}
