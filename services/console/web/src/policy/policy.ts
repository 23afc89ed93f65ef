import type { NewPolicy, Policy } from "@/api/types";
import type { FieldWords } from "@/ui/controls/form-field";

type Field = FieldWords & { key: keyof Policy };

/** Fields of a policy, in the order of the form. Empty: the agent's value, or the service's default. */
export const POLICY_FIELDS = [
  { key: "max_submissions", label: "Submissions", hint: "Not-met verdicts before it is rejected.", kind: "number" },
  { key: "max_calls", label: "Calls of the agent", hint: "In total, lost ones included.", kind: "number" },
  { key: "attempt_timeout_s", label: "Time for a call, in seconds", kind: "number" },
  { key: "deadline_s", label: "Deadline, in seconds", hint: "All calls and the judgement.", kind: "number" },
  {
    key: "resubmit",
    label: "Resubmission",
    kind: "choice",
    choices: { by_hand: "By hand", automatic: "Automatic, with the feedback" },
  },
  {
    key: "hand_over_after",
    label: "Hand over after",
    hint: "Not-met verdicts before another agent gets it; if automatic.",
    kind: "number",
  },
  { key: "budget_usd", label: "Budget, in dollars", kind: "money" },
  { key: "budget_tokens", label: "Budget, in tokens", kind: "number" },
  {
    key: "reuse_verdict",
    label: "Verdict on the same result",
    kind: "choice",
    choices: { true: "May be reused", false: "Is judged anew" },
  },
  {
    key: "empty_result",
    label: "A result without content",
    kind: "choice",
    choices: { not_met: "Is not met; no judge is asked", judge: "Is judged" },
  },
  {
    key: "delivery",
    label: "After a crash",
    kind: "choice",
    choices: { at_least_once: "Call the agent again", at_most_once: "Never call it twice" },
  },
  { key: "judge", label: "Judge policy", hint: "A name, or name@version; empty: default.", kind: "line" },
  { key: "criteria_set", label: "Criteria set", hint: "Judged by in addition: a name, or name@version.", kind: "line" },
  { key: "queue_timeout_s", label: "Longest wait, in seconds", hint: "Until an executor takes it.", kind: "number" },
  { key: "connect_timeout_s", label: "Time to connect, in seconds", kind: "number" },
  {
    key: "heartbeat_timeout_s",
    label: "Longest silence, in seconds",
    hint: "Of an asynchronous agent.",
    kind: "number",
  },
  { key: "judging_timeout_s", label: "Time for judging, in seconds", kind: "number" },
  { key: "backoff_first_s", label: "First backoff, in seconds", kind: "number" },
  { key: "backoff_max_s", label: "Longest backoff, in seconds", kind: "number" },
  { key: "backoff_factor", label: "Backoff factor", kind: "number" },
  { key: "retry_codes", label: "Call again after", hint: "Codes, separated by spaces.", kind: "words" },
  {
    key: "no_retry_codes",
    label: "Never call again after",
    hint: "Codes, separated by spaces.",
    kind: "words",
  },
] as const satisfies readonly Field[];

type Key = (typeof POLICY_FIELDS)[number]["key"];
export type PolicyValues = Record<Key, string>;

export function toPolicyValues(policy: Policy): PolicyValues {
  const text = ({ key }: Field) => {
    const value = policy[key];
    return value == null ? "" : Array.isArray(value) ? value.join(" ") : String(value);
  };
  return Object.fromEntries(POLICY_FIELDS.map((field) => [field.key, text(field)])) as PolicyValues;
}

/** Build a policy from the form; fields of `base` that the form does not show are kept. */
export function toPolicy(values: PolicyValues, base: Policy = {}): NewPolicy {
  const policy: Record<string, unknown> = { ...base };
  for (const { key, kind } of POLICY_FIELDS as readonly Field[]) {
    const text = values[key as Key].trim();
    if (text === "") delete policy[key];
    else policy[key] = parseValue(kind, text);
  }
  return policy;
}

function parseValue(kind: Field["kind"], text: string): unknown {
  switch (kind) {
    case "number":
      return Number(text);
    case "words":
      return text.split(/[\s,]+/);
    case "choice":
      return text === "true" || text === "false" ? text === "true" : text;
    default:
      return text;
  }
}
