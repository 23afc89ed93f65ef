import type { JudgePolicyVersion } from "@/api/types";
import { formatCount } from "@/lib/format";

type Model = { model: string; family?: string | null };
type Stage = { kind: string; judges?: readonly Model[]; votes?: number | null };
type Step = {
  from_submission?: number;
  confirm?: boolean;
  asks?: number;
  judge?: Model | null;
  check?: string | null;
};
/** What of a judge policy is said in sentences. A newer service may have stored more. */
type Policy = {
  stages?: readonly Stage[];
  asks?: string;
  apart?: readonly string[];
  task?: readonly string[];
  judge_after_checks?: boolean;
  loop?: readonly Step[];
  section_chars?: number | null;
  whole?: string;
  result_max_chars?: number | null;
};

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const inWords = (number: number) => NUMBERS[number] ?? String(number);
const times = (number: number) => (number === 1 ? "once" : number === 2 ? "twice" : `${inWords(number)} times`);
const join = (words: readonly string[]) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
const nameModels = (models: readonly Model[] = []) =>
  models.length === 0 ? "the validators' own model" : join(models.map(({ model }) => model));

const ASKED: Record<string, string> = {
  all: "Asks about all criteria together",
  each: "Asks about each criterion by itself",
  auto: "Asks about all criteria together if they are five at most, and else about up to five of a kind",
};

/** Say in sentences how a policy judges. */
export function describePolicy(policy: JudgePolicyVersion["policy"]): string[] {
  const given = (policy ?? {}) as Policy;
  const { stages = [], asks = "auto", apart = [], loop = [], section_chars: section, result_max_chars: most } = given;
  const asking = stages.find(({ kind }) => kind !== "checks");
  const hasChecks = stages.some(({ kind }) => kind === "checks");
  return [
    ...(hasChecks
      ? [
          given.judge_after_checks
            ? "Checks run first; a model is asked whatever they find."
            : "Checks run first; where a required one fails, no model is asked.",
        ]
      : []),
    ...(asking ? [`${ASKED[asks] ?? `Asks by “${asks}”`}, ${describeStage(asking)}.`] : []),
    ...(apart.length > 0 ? [`Asks about ${join(apart.map((text) => `“${text}”`))} alone.`] : []),
    describeTask(given.task),
    "Refuses evidence that is not in the result.",
    ...loop.map(describeStep),
    ...(loop.length === 0 ? ["Doubts no pass: a pass needs nothing more."] : []),
    ...(section
      ? [
          `Judges a result of more than ${formatCount(section)} characters by sections, and a criterion about the whole ${
            given.whole === "refuse" ? "not at all" : "by its head, its tail and a sample"
          }.`,
        ]
      : []),
    ...(most ? [`Judges nothing of more than ${formatCount(most)} characters.`] : []),
  ];
}

function describeStage({ kind, judges = [], votes }: Stage): string {
  if (kind === "quorum") return `${times(votes ?? judges.length)}, of ${nameModels(judges)}; the majority decides`;
  if (kind === "cascade") {
    const [first, second] = judges;
    return `first of ${first?.model}, and of ${second?.model} where that is unsure or its quotations fail`;
  }
  return `once, of ${nameModels(judges)}`;
}

function describeTask(task: readonly string[] = ["title", "description", "payload"]): string {
  if (task.length === 0) return "Sees nothing of what the agent was asked.";
  const words = task.map((member) => (member === "feedback" ? "what it was told last" : `the ${member}`));
  return `Sees of what the agent was asked ${join(words)}.`;
}

function describeStep({ from_submission: from, confirm, asks = 1, judge, check }: Step): string {
  const since = (from ?? (confirm ? 1 : 2)) === 1 ? "Always" : `From submission ${from ?? 2} on`;
  const by = judge ? ` of ${judge.model}` : "";
  if (confirm) return `${since}, the quoted passages alone must show${by ? `, by an ask${by},` : ""} what passed.`;
  const doubts = asks === 0 ? [] : [`${asks === 1 ? "an ask" : `${inWords(asks)} asks`}${by} told to refute it`];
  const needs = [...doubts, ...(check ? [`the check “${check}”`] : [])];
  return `${since}, a pass must withstand ${join(needs)}.`;
}
