import { FormField } from "@/ui/controls/form-field";
import { findProtocol, isSigned } from "./protocols";

/** Fields of what an agent's protocol needs to know, and of what signs its calls where they are signed. */
export function SettingFields({ protocol }: { protocol: string }) {
  return (
    <>
      {Object.entries(findProtocol(protocol)?.settings ?? {}).map(([name, setting]) => (
        // By the protocol, too: a setting of the same name of another one is checked otherwise.
        <FormField key={`${protocol}.${name}`} at={`settings.${name}`} {...setting} />
      ))}
      {isSigned(protocol) && (
        <FormField
          at="signing"
          label="Signing secrets"
          kind="code"
          hint="Optional: where executors find the one or two secrets that sign each call, such as env:SIGNOFF_AGENT_SIGNING or file:path."
        />
      )}
    </>
  );
}
