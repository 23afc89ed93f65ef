import type { Agent, NewAgent, Schemas } from "@/api/types";
import { parseJson, stringifyJson } from "@/lib/exact-json";
import type { FieldWords } from "@/ui/controls/form-field";

export type Protocol = NonNullable<NewAgent["protocol"]>;
type SettingsOf<Name extends string> = Name extends keyof Schemas ? Record<keyof Schemas[Name], FieldWords> : never;
/** Values of the form of settings: texts as they are typed, and whether a box is ticked. */
export type SettingValues = Record<string, string | boolean>;

const TEMPLATE = {
  label: "Template",
  kind: "lines",
  hint: "What is sent, with names in braces for values of the job: {{title}}, {{description}}, {{acceptance_criteria}}, {{payload}}, {{payload.city}}, {{feedback}}. Empty: all of them.",
} as const satisfies FieldWords;

const OPENAI = {
  model: { label: "Model", kind: "line", required: "It needs a model." },
  instructions: { label: "Instructions", kind: "lines", hint: "Sent beside the task, as the system's words." },
  template: TEMPLATE,
  schema: { label: "Schema of the answer", kind: "json", hint: "A JSON Schema. Empty: the answer is text." },
  api: {
    label: "API",
    kind: "choice",
    hint: "Not set: it is found out what the server has.",
    choices: { chat: "Chat completions", responses: "Responses" },
  },
  background: { label: "The work goes on by itself, and is polled (Responses alone)", kind: "flag" },
  parameters: { label: "Parameters", kind: "json", hint: "Sent as they are.", example: '{"temperature": 0}' },
} as const satisfies SettingsOf<"OpenAISettingsInput">;

const LANGGRAPH = {
  assistant: {
    label: "Assistant",
    kind: "line",
    hint: "An assistant's id, or the name of a graph.",
    required: "It needs an assistant.",
  },
  input: {
    label: "Input",
    kind: "json",
    hint: "JSON whose texts may have names in braces for values of the job. Empty: a message with the task.",
    example: '{"city": "{{payload.city}}"}',
  },
  output: { label: "Output", kind: "code", hint: "Where the result stands in the state at the run's end." },
  config: { label: "Configuration", kind: "json", hint: "Of the run.", example: '{"recursion_limit": 50}' },
  context: { label: "Context", kind: "json", hint: "Of the run, in place of `configurable`." },
} as const satisfies SettingsOf<"LangGraphSettingsInput">;

const A2A = {
  template: TEMPLATE,
  data: {
    label: "Data",
    kind: "json",
    hint: "JSON that is sent beside the text; its texts may have the same names.",
    example: '{"where": "{{payload.city}}"}',
  },
  artifact: { label: "Artifact", kind: "line", hint: "The name or id of the one that is the result. Empty: all." },
  output: {
    label: "Result",
    kind: "choice",
    hint: "Not set: the only part, or a list of several.",
    choices: { text: "All texts, joined", data: "The data part", parts: "A list of all parts" },
  },
} as const satisfies SettingsOf<"A2ASettingsInput">;

type ProtocolWords = { name: string; explained: string; address: string; settings: Record<string, FieldWords> };

/** Protocols by which agents can be called: each with its name, what it is, its address and its settings. */
const PROTOCOLS: Record<Protocol, ProtocolWords> = {
  http: { name: "HTTP", explained: "HTTP: one call, one answer", address: "https://…", settings: {} },
  http_async: {
    name: "HTTP, asynchronous",
    explained: "HTTP, asynchronous: it is asked for the status of its work",
    address: "https://…",
    settings: {},
  },
  openai: {
    name: "OpenAI's API",
    explained: "A model behind OpenAI's API",
    address: "https://api.openai.com/v1",
    settings: OPENAI,
  },
  langgraph: {
    name: "LangGraph",
    explained: "A graph on a LangGraph server",
    address: "https://…",
    settings: LANGGRAPH,
  },
  a2a: { name: "A2A", explained: "An A2A server, by its card", address: "https://…", settings: A2A },
};

/** What each protocol is. */
export const EXPLAINED = Object.fromEntries(
  Object.entries(PROTOCOLS).map(([protocol, { explained }]) => [protocol, explained]),
);

/** Names of all settings, of whichever protocol. */
const SETTING_NAMES = [...new Set(Object.values(PROTOCOLS).flatMap(({ settings }) => Object.keys(settings)))];

/** Find the words of a protocol; a newer server may have others than are known here. */
export const findProtocol = (protocol: string): ProtocolWords | undefined =>
  Object.hasOwn(PROTOCOLS, protocol) ? PROTOCOLS[protocol as Protocol] : undefined;

/** Whether calls by a protocol can be signed. */
export const isSigned = (protocol: string): boolean => protocol === "http" || protocol === "http_async";

/** Describe how an agent is called: its protocol, and the model or assistant that is asked. */
export function describeProtocol({ protocol, settings }: Pick<Agent, "protocol" | "settings">): string {
  const asked = settings.model ?? settings.assistant;
  return [findProtocol(protocol)?.name ?? protocol, asked].filter((each) => typeof each === "string").join(" · ");
}

/** Convert settings to the values of the form. */
export function toSettingValues(protocol: string, settings: Agent["settings"] = {}): SettingValues {
  const known = findProtocol(protocol)?.settings ?? {};
  const values = Object.entries(known).map(([name, setting]) => [name, toValue(setting, settings[name])]);
  return { ...Object.fromEntries(SETTING_NAMES.map((name) => [name, ""])), ...Object.fromEntries(values) };
}

function toValue({ kind }: FieldWords, value: unknown): string | boolean {
  if (kind === "flag") return value === true;
  if (value == null) return "";
  return kind === "json" ? stringifyJson(value, 2) : String(value);
}

/** Build the settings of a protocol from the form; members of `base` that the form does not show are kept. */
export function toSettings(protocol: string, values: SettingValues, base: Agent["settings"] = {}): Agent["settings"] {
  const settings = { ...base };
  for (const [name, { kind }] of Object.entries(findProtocol(protocol)?.settings ?? {})) {
    const value = values[name];
    if (value === true) settings[name] = true;
    else if (typeof value !== "string" || value.trim() === "") delete settings[name];
    else settings[name] = kind === "json" ? parseJson(value) : kind === "lines" ? value : value.trim();
  }
  return settings;
}
