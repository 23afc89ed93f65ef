import { type Guarded, isBoolean, isNumber, isText, listOf, mapOf, maybe, objectOf } from "@/lib/guards";

/** More than a report of 200 disagreements has. */
const FILE_MAX_BYTES = 32 * 1024 * 1024;

/** A share with its 95 % interval; all are null where nothing was counted. */
const isInterval = objectOf({ share: maybe(isNumber), low: maybe(isNumber), high: maybe(isNumber) });

const MEASURE = {
  labelled: isNumber,
  good: isNumber,
  bad: isNumber,
  true_accepts: isNumber,
  false_accepts: isNumber,
  true_rejects: isNumber,
  false_rejects: isNumber,
  unsure: isNumber,
  kappa: maybe(isNumber),
  agreement: isInterval,
  true_positive_rate: isInterval,
  true_negative_rate: isInterval,
  false_accept_rate: isInterval,
  false_reject_rate: isInterval,
};
const isMeasure = objectOf(MEASURE);

const isPolicyReport = objectOf({
  policy: isText,
  versions: mapOf(isNumber),
  overall: isMeasure,
  all_criteria: isMeasure,
  criteria: listOf(objectOf({ ...MEASURE, criterion: isText })),
  criteria_not_listed: isNumber,
  labels_not_told_apart: isNumber,
  unjudged: mapOf(isNumber),
  flips: objectOf({ cases: isInterval, criteria: isInterval }),
  asks: isNumber,
  tokens: isNumber,
  cost_usd: maybe(isText),
  asks_of_unknown_cost: isNumber,
  latency_s: objectOf({ median: maybe(isNumber), p95: maybe(isNumber) }),
  confirm: maybe(
    objectOf({
      bad: isNumber,
      bad_stopped: isNumber,
      good: isNumber,
      good_stopped: isNumber,
      asks: isNumber,
      cost_usd: maybe(isText),
    }),
  ),
  quorum: listOf(
    objectOf({
      votes: isNumber,
      labels: isNumber,
      correlation: maybe(isNumber),
      worth_votes: maybe(isNumber),
      worth_votes_low: maybe(isNumber),
      worth_votes_high: maybe(isNumber),
      majority_wrong: isNumber,
      best_wrong: isNumber,
      adds_nothing: isBoolean,
    }),
  ),
});

const isComparison = objectOf({
  first: isText,
  second: isText,
  both_right: isNumber,
  only_first_right: isNumber,
  only_second_right: isNumber,
  both_wrong: isNumber,
  p: isNumber,
});

const isDisagreement = objectOf({
  id: isText,
  title: maybe(isText),
  result: objectOf({ text: isText, chars_left_out: isNumber }),
  label: maybe(isBoolean),
  criteria: listOf(isText),
  labels: listOf(maybe(isBoolean)),
  judged: mapOf(
    objectOf({
      error: maybe(isText),
      accepted: maybe(isBoolean),
      outcomes: maybe(isText),
      reason: maybe(isText),
      evidence: maybe(listOf(listOf(isText))),
    }),
  ),
});

const isReport = objectOf({
  evaluation: isText,
  cases: isNumber,
  cases_hash: isText,
  repeats: isNumber,
  skipped: listOf(objectOf({ line: isNumber, reason: isText })),
  policies: listOf(isPolicyReport),
  comparisons: listOf(isComparison),
  disagreements: objectOf({ total: isNumber, items: listOf(isDisagreement) }),
});

/** Report of policies on labelled cases, as `signoff judge evaluate --json` prints it. */
export type Report = Guarded<typeof isReport>;
export type PolicyReport = Guarded<typeof isPolicyReport>;
export type Comparison = Guarded<typeof isComparison>;
export type Disagreement = Guarded<typeof isDisagreement>;
export type Interval = Guarded<typeof isInterval>;

/** Read a report from its file. Error: it is none. */
export async function readReport(file: File): Promise<Report> {
  if (file.size > FILE_MAX_BYTES) throw new Error("It is too large for a report.");
  const value = parse(await file.text());
  if (!isReport(value)) throw new Error("It is no report: choose what `signoff judge evaluate --json` printed.");
  return value;
}

/** Return what is looked at of a report when a version is promoted: its disagreements may be larger than a request. */
export function shortenReport({ evaluation, policies }: Report) {
  return { evaluation, policies: policies.map(({ policy, versions, overall }) => ({ policy, versions, overall })) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
