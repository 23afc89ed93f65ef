import { useFormContext } from "react-hook-form";
import { Checkbox, Field, Input, Select, TextArea } from "@/ui/controls/field";
import type { AgentValues } from "./agent-values";
import { explainInvalidSetting, findProtocol, isSigned, type Setting } from "./protocols";

/** Fields of what an agent's protocol needs to know, and of what signs its calls where they are signed. */
export function SettingFields({ protocol }: { protocol: string }) {
  const { register, formState } = useFormContext<AgentValues>();
  return (
    <>
      {Object.entries(findProtocol(protocol)?.settings ?? {}).map(([name, setting]) => (
        // By the protocol, too: a setting of the same name of another one is checked otherwise.
        <SettingField key={`${protocol}.${name}`} name={name} setting={setting} />
      ))}
      {isSigned(protocol) && (
        <Field
          label="Signing secrets"
          hint="Optional: where executors find the one or two secrets that sign each call, such as env:SIGNOFF_AGENT_SIGNING or file:path."
          error={formState.errors.signing?.message}
        >
          {(control) => <Input {...control} className="font-mono" {...register("signing")} />}
        </Field>
      )}
    </>
  );
}

function SettingField({ name, setting }: { name: string; setting: Setting }) {
  const { register, formState } = useFormContext<AgentValues>();
  const { label, kind, hint, example, choices } = setting;
  const registered = register(`settings.${name}`, { validate: (value) => explainInvalidSetting(setting, value) });
  if (kind === "flag") {
    return (
      <label className="flex items-center gap-2">
        <Checkbox {...registered} /> {label}
      </label>
    );
  }
  return (
    <Field label={label} hint={hint} error={formState.errors.settings?.[name]?.message}>
      {(control) =>
        choices ? (
          <Select {...control} {...registered}>
            <option value="">Not set</option>
            {Object.entries(choices).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </Select>
        ) : kind === "lines" || kind === "json" ? (
          <TextArea {...control} className={kind === "json" ? "font-mono" : ""} placeholder={example} {...registered} />
        ) : (
          <Input {...control} className={kind === "path" ? "font-mono" : ""} placeholder={example} {...registered} />
        )
      }
    </Field>
  );
}
