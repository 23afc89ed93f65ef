import type { Agent, NewAgent } from "@/api/types";
import { POLICY_FIELDS, type PolicyValues, toPolicy, toPolicyValues } from "@/policy/policy";
import { findProtocol, isSigned, type Protocol, type SettingValues, toSettings, toSettingValues } from "./protocols";

/** Values of the form of an agent: texts as they are typed. */
export type AgentValues = {
  id: string;
  name: string;
  protocol: Protocol;
  url: string;
  capabilities: string;
  headers: string;
  settings: SettingValues;
  signing: string;
  enabled: boolean;
  deterministic: boolean;
  policy: PolicyValues;
  /** Whose a new one is. */
  tenant: string;
  /** Whether jobs of all tenants may use it; empty: as the jobstore has it. */
  shared: "" | "yes" | "no";
};

/** List the fields at which the form of an agent, or of a new one, shows an error of the server; others would hold it up. */
export const listFields = (protocol: string, isNew: boolean): string[] => [
  ...(isNew ? ["id", "protocol", "tenant"] : []),
  ...["name", "url", "capabilities", "headers", "shared"],
  ...Object.keys(findProtocol(protocol)?.settings ?? {}).map((name) => `settings.${name}`),
  ...(isSigned(protocol) ? ["signing"] : []),
  ...POLICY_FIELDS.map(({ key }) => `policy.${key}`),
];

/** Convert an agent to the values of the form; without one, they are those of a new agent. */
export function toAgentValues(agent?: Agent, tenant = ""): AgentValues {
  const headers = Object.entries(agent?.headers ?? {}).map(([name, reference]) => `${name}=${reference}`);
  const protocol = (agent?.protocol ?? "http") as Protocol;
  return {
    id: agent?.id ?? "",
    name: agent?.name ?? "",
    protocol,
    url: agent?.url ?? "",
    capabilities: agent?.capabilities?.join("\n") ?? "",
    headers: headers.join("\n"),
    settings: toSettingValues(protocol, agent?.settings),
    signing: agent?.signing ?? "",
    enabled: agent?.enabled ?? true,
    deterministic: agent?.deterministic ?? false,
    policy: toPolicyValues(agent?.policy ?? {}),
    tenant: agent?.tenant ?? tenant,
    shared: agent === undefined ? "" : agent.shared ? "yes" : "no",
  };
}

/** Return the fields of an agent that a client may write: all but those that the jobstore sets. */
function toWritableAgent(agent: Agent): NewAgent {
  const {
    circuit: _,
    circuit_open_until: __,
    paused: ___,
    version: ____,
    created_at: _____,
    updated_at: ______,
    ...fields
  } = agent;
  return fields as NewAgent;
}

/** Build the request that registers an agent, or that would replace one; fields that the form does not show are kept. */
export function toNewAgent(form: AgentValues, agent?: Agent): NewAgent {
  const { id, capabilities, headers, policy, settings, signing, tenant, shared, ...values } = form;
  return {
    ...(agent && toWritableAgent(agent)),
    ...values,
    settings: toSettings(values.protocol, settings, agent?.settings),
    signing: (isSigned(values.protocol) && signing.trim()) || null,
    id: agent?.id ?? (id.trim() || null),
    ...(tenant.trim() !== "" && { tenant: tenant.trim() }),
    ...(shared !== "" && { shared: shared === "yes" }),
    capabilities: [...new Set(splitLines(capabilities))],
    headers: Object.fromEntries(splitLines(headers).map(splitHeader)),
    policy: toPolicy(policy, agent?.policy),
  };
}

export const explainInvalidHeaders = (text: string) =>
  splitLines(text).every((line) => line.includes("="))
    ? undefined
    : "Write one per line: name=where the value is found.";

/** Split a text of one value per line. */
export const splitLines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

const splitHeader = (line: string) => {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)] as const;
};
