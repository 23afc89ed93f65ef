import { useForm } from "react-hook-form";
import { showFieldErrors } from "@/api/field-errors";
import { ProblemState } from "@/api/ProblemState";
import type { Agent, NewAgent } from "@/api/types";
import { Button } from "@/ui/controls/button";
import { Checkbox, Field, Input, Select, TextArea } from "@/ui/controls/field";
import { Dialog } from "@/ui/overlays/dialog";
import { useUnsavedWarning } from "@/ui/overlays/use-unsaved-warning";
import { toWritableAgent, useSaveAgent } from "./mutations";

type Values = {
  id: string;
  name: string;
  protocol: NewAgent["protocol"];
  url: string;
  capabilities: string;
  headers: string;
  enabled: boolean;
  deterministic: boolean;
};

const FIELDS = ["id", "name", "protocol", "url", "capabilities", "headers", "enabled", "deterministic"] as const;

const PROTOCOLS = {
  http: "HTTP: one call, one answer",
  http_async: "HTTP, asynchronous: it calls back",
  a2a: "A2A",
  openai: "OpenAI-compatible",
} as const satisfies Record<Agent["protocol"], string>;

const splitLines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

const formatHeaders = (headers: Record<string, string>) =>
  Object.entries(headers)
    .map(([name, reference]) => `${name}=${reference}`)
    .join("\n");

const splitHeader = (line: string) => {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)] as const;
};

const checkHeaders = (text: string) =>
  splitLines(text).every((line) => line.includes("=")) || "Each line is a name, =, and where the value is found.";

/** Form that registers or edits an agent. An edit keeps the fields that the form does not show. */
export function AgentDialog({ agent, onClose }: { agent?: Agent; onClose: () => void }) {
  const { register, handleSubmit, setError, formState } = useForm<Values>({
    defaultValues: {
      id: agent?.id ?? "",
      name: agent?.name ?? "",
      protocol: agent?.protocol ?? "http",
      url: agent?.url ?? "",
      capabilities: agent?.capabilities?.join("\n") ?? "",
      headers: formatHeaders(agent?.headers ?? {}),
      enabled: agent?.enabled ?? true,
      deterministic: agent?.deterministic ?? false,
    },
  });
  const save = useSaveAgent(agent?.id);
  const submit = handleSubmit(({ id, capabilities, headers, ...values }) => {
    const body: NewAgent = {
      ...(agent && toWritableAgent(agent)),
      ...values,
      id: agent?.id ?? (id.trim() || null),
      capabilities: [...new Set(splitLines(capabilities))],
      headers: Object.fromEntries(splitLines(headers).map(splitHeader)),
    };
    save.mutate(body, { onSuccess: onClose, onError: (error) => showFieldErrors(error, FIELDS, setError) });
  });
  const { leave, warning } = useUnsavedWarning(formState.isDirty, onClose);
  const wrong = (field: keyof Values) => formState.errors[field]?.message;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && leave()}
      title={agent ? `Edit ${agent.name}` : "Register an agent"}
      description="Whoever does the work: how it is called, and what it can do."
    >
      <form onSubmit={submit} className="space-y-3" noValidate>
        <Field label="Name" error={wrong("name")}>
          {(control) => <Input {...control} {...register("name", { required: "It needs a name." })} />}
        </Field>
        {!agent && (
          <Field label="Id" hint="Optional; made by the jobstore when left empty." error={wrong("id")}>
            {(control) => <Input {...control} className="font-mono" {...register("id")} />}
          </Field>
        )}
        <Field label="Protocol" error={wrong("protocol")}>
          {(control) => (
            <Select {...control} {...register("protocol")}>
              {Object.entries(PROTOCOLS).map(([value, words]) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Address" error={wrong("url")}>
          {(control) => (
            <Input
              {...control}
              type="url"
              placeholder="https://…"
              {...register("url", { required: "It needs an address to be called at." })}
            />
          )}
        </Field>
        <Field
          label="Capabilities"
          hint="One a line; jobs that ask for them may be matched with it."
          error={wrong("capabilities")}
        >
          {(control) => <TextArea {...control} {...register("capabilities")} />}
        </Field>
        <Field
          label="Headers"
          hint="Sent with every call, one a line: Authorization=env:SIGNOFF_AGENT_NAME, or X-Key=file:path. The values stay with the executors."
          error={wrong("headers")}
        >
          {(control) => (
            <TextArea {...control} className="font-mono" {...register("headers", { validate: checkHeaders })} />
          )}
        </Field>
        <label className="flex items-center gap-2">
          <Checkbox {...register("enabled")} /> It is given work
        </label>
        <label className="flex items-center gap-2">
          <Checkbox {...register("deterministic")} /> Its result may be reused for an identical request
        </label>
        <ProblemState error={save.error} placed={FIELDS} />
        <div className="flex justify-end gap-2 pt-2">
          <Button onClick={leave}>Back</Button>
          <Button type="submit" kind="primary" unavailable={save.isPending} aria-busy={save.isPending}>
            {agent ? "Save" : "Register"}
          </Button>
        </div>
      </form>
      {warning}
    </Dialog>
  );
}
