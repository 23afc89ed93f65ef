import type { JobStatus } from "@/api/types";
import { JOB_STATUSES } from "@/jobs/model/status";
import { type JobsSearch, parsePeriod, SORTS, type Sort } from "./jobs-search";

/** Names that filters have at other doors, by which they are taken here, too. */
const OTHER_NAMES: Record<string, string> = {
  q: "text",
  agent_id: "agent",
  batch_id: "batch",
  criterion_not_met: "criterion",
  not_agent_id: "notAgent",
  not_tenant: "notTenant",
  not_batch_id: "notBatch",
  not_label: "notLabel",
  not_code: "notCode",
  not_criterion_not_met: "notCriterion",
  cost_usd_min: "costMin",
  cost_usd_max: "costMax",
  cost_min: "costMin",
  cost_max: "costMax",
  spent_min: "costMin",
  spent_max: "costMax",
  duration_s_min: "durationMin",
  duration_s_max: "durationMax",
  duration_min: "durationMin",
  duration_max: "durationMax",
  created_after: "from",
  created_before: "to",
};

type Raw = string | string[] | undefined;
type RawSearch = Record<string, Raw>;

/**
 * Parse an address that may be typed by hand. Values that are not valid become undefined, since absent ones would stay
 * as typed, and are listed as unknown.
 */
export function parseJobsSearch(typed: RawSearch): JobsSearch {
  const raw = Object.fromEntries(Object.entries(typed).map(([name, value]) => [OTHER_NAMES[name] ?? name, value]));
  const search = parseKnown(raw);
  const unknown = orNone([...toList(raw.unknown), ...listUnknown(raw, search)]);
  const others = Object.keys(typed).filter((name) => !(name in search));
  return { ...search, ...Object.fromEntries(others.map((name) => [name, undefined])), unknown };
}

function parseKnown(raw: RawSearch): JobsSearch {
  const [from, to] = [toTime(raw.from), toTime(raw.to)];
  const period = from || to ? undefined : toText(raw.period);
  const sort = (toText(raw.sort) ?? "") as Sort;
  return {
    status: toStatuses(raw.status),
    notStatus: toStatuses(raw.notStatus),
    cancelled: isTrue(raw.cancelled) ?? (toText(raw.cancelled) === "false" ? false : undefined),
    agent: toText(raw.agent),
    tenant: toText(raw.tenant),
    batch: toText(raw.batch),
    label: toLabels(raw.label),
    code: toTexts(raw.code),
    criterion: toText(raw.criterion),
    notAgent: toTexts(raw.notAgent),
    notTenant: toTexts(raw.notTenant),
    notBatch: toTexts(raw.notBatch),
    notLabel: toLabels(raw.notLabel),
    notCode: toTexts(raw.notCode),
    notCriterion: toTexts(raw.notCriterion),
    costMin: toAmount(raw.costMin),
    costMax: toAmount(raw.costMax),
    durationMin: toAmount(raw.durationMin),
    durationMax: toAmount(raw.durationMax),
    period: period && parsePeriod(period) !== undefined ? period : undefined,
    from,
    to,
    text: toText(raw.text),
    sort: Object.hasOwn(SORTS, sort) ? sort : undefined,
    ascending: sort === "priority" ? undefined : isTrue(raw.ascending),
  };
}

/** List what was typed and is no part of the search. */
function listUnknown(raw: RawSearch, search: JobsSearch): string[] {
  const isGivenWay = (name: string) =>
    (name === "period" && (search.from ?? search.to) !== undefined) ||
    (name === "ascending" && search.sort === "priority");
  return Object.entries(raw).flatMap(([name, value]) => {
    if (name === "unknown" || isGivenWay(name)) return [];
    const taken = search[name as keyof JobsSearch];
    const isTaken = (each: string) =>
      Array.isArray(taken)
        ? (taken as string[]).includes(name.endsWith("tatus") ? each.toUpperCase() : each)
        : taken !== undefined;
    const left = toList(value).filter((each) => each !== "" && each !== "false" && !isTaken(each));
    return left.map((each) => `${name}=${each}`);
  });
}

const toStatuses = (value: Raw) =>
  orNone(
    toList(value)
      .map((word) => word.toUpperCase())
      .filter((word): word is JobStatus => JOB_STATUSES.includes(word as JobStatus)),
  );
const toList = (value: Raw): string[] => (value === undefined ? [] : [value].flat());
const orNone = <T>(list: T[]) => (list.length > 0 ? list : undefined);
const toTexts = (value: Raw) => orNone(toList(value).filter(Boolean));
const toLabels = (value: Raw) => orNone(toList(value).filter((label) => label.indexOf(":") > 0));
const toText = (value: Raw) => toList(value)[0] || undefined;
const isTrue = (value: Raw) => (String(toText(value)) === "true" ? true : undefined);
const toTime = (value: Raw) => {
  const text = toText(value);
  return text && !Number.isNaN(Date.parse(text)) ? text : undefined;
};
const toAmount = (value: Raw) => {
  const [text] = toList(value);
  const number = Number(text);
  return text !== undefined && text !== "" && Number.isFinite(number) && number >= 0 ? number : undefined;
};
