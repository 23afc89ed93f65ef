import { formatCount, formatDuration, formatMoney, pluralize } from "@/lib/format";
import type { Comparison, Interval, PolicyReport, Report } from "./report";

/** Below this p, chance explains the difference of two policies badly. */
const P_MAX = 0.05;

/** Format a share in percent with its 95 % interval. */
export function formatShare({ share, low, high }: Interval, none = "undefined: no such labels"): string {
  return share == null || low == null || high == null
    ? none
    : `${toPercent(share)} % (${toPercent(low)} to ${toPercent(high)})`;
}

const toPercent = (share: number) => (100 * share).toFixed(1);
const formatNumber = (value: number | null | undefined) => (value == null ? "undefined" : value.toFixed(2));
const formatSeconds = (seconds: number | null | undefined) =>
  seconds == null ? "not known" : formatDuration(seconds * 1_000);

export const formatKappa = formatNumber;

type Row = readonly [name: string, value: (report: PolicyReport) => string];

/** Measures of a policy as rows, as the command line tells them. */
export const MEASURES: readonly Row[] = [
  [
    "Labelled results judged",
    ({ overall }) =>
      `${formatCount(overall.labelled)}: ${formatCount(overall.good)} good, ${formatCount(overall.bad)} bad`,
  ],
  ["Agreement", ({ overall }) => formatShare(overall.agreement)],
  ["True positive rate: good ones that pass", ({ overall }) => formatShare(overall.true_positive_rate)],
  ["True negative rate: bad ones that do not", ({ overall }) => formatShare(overall.true_negative_rate)],
  ["False accepts, of the bad ones", ({ overall }) => formatShare(overall.false_accept_rate)],
  ["False rejects, of the good ones", ({ overall }) => formatShare(overall.false_reject_rate)],
  ["Cohen's kappa", ({ overall }) => formatNumber(overall.kappa)],
  ["Could not be assessed", ({ overall }) => formatCount(overall.unsure)],
  ["Not judged", ({ unjudged }) => formatCodes(unjudged)],
  ["Flips over repeats", ({ flips }) => formatShare(flips.cases, "not repeated")],
  ["Agreement by criterion", ({ all_criteria: all }) => formatShare(all.agreement)],
  ["Cohen's kappa by criterion", ({ all_criteria: all }) => formatNumber(all.kappa)],
  ["Model calls", ({ asks, tokens }) => `${formatCount(asks)}, ${pluralize(tokens, "token")}`],
  ["Cost", formatCost],
  [
    "A model call takes: median; 95th percentile",
    ({ latency_s: took }) => `${formatSeconds(took.median)}; ${formatSeconds(took.p95)}`,
  ],
];

function formatCodes(codes: Record<string, number>): string {
  const told = Object.entries(codes).map(([code, number]) => `${formatCount(number)} ${code}`);
  return told.join(", ") || "0";
}

function formatCost({ cost_usd: cost, asks_of_unknown_cost: unknown }: PolicyReport): string {
  if (cost == null) return "not known";
  return formatMoney(cost) + (unknown > 0 ? `, without ${pluralize(unknown, "call")} of unknown price` : "");
}

/** Describe what McNemar's test says of two policies. */
export function describeComparison(comparison: Comparison): string {
  const { first, second, only_first_right: onlyFirst, only_second_right: onlySecond, p } = comparison;
  const verdict = p < P_MAX ? "chance explains that badly" : "which may be chance";
  return (
    `${first} alone is right in ${pluralize(onlyFirst, "case")}, ${second} alone in ${formatCount(onlySecond)}: ` +
    `p = ${Number(p.toPrecision(3))} by McNemar's exact test, ${verdict}. Both are right in ` +
    `${formatCount(comparison.both_right)}, both wrong in ${formatCount(comparison.both_wrong)}.`
  );
}

/** Describe what the votes of a quorum are worth. */
export function describeQuorum(quorum: PolicyReport["quorum"][number]): string {
  const { worth_votes: votes, worth_votes_low: low, worth_votes_high: high } = quorum;
  const worth = votes == null ? "no known number of" : votes.toFixed(1);
  const most = high == null ? "or more" : `to ${high.toFixed(1)}`;
  const between = votes == null || low == null ? "" : ` (95 % interval ${low.toFixed(1)} ${most})`;
  return (
    `A quorum of ${quorum.votes} is worth ${worth} independent votes${between} on ` +
    `${pluralize(quorum.labels, "label")} (mean correlation of errors ${formatNumber(quorum.correlation)}): its ` +
    `majority is wrong in ` +
    `${formatCount(quorum.majority_wrong)}, its best vote in ${formatCount(quorum.best_wrong)}` +
    `${quorum.adds_nothing ? "; it adds nothing to that one." : "."}`
  );
}

/** Describe how many results that had passed were stopped by confirming, and at what price. */
export function describeConfirming(confirm: NonNullable<PolicyReport["confirm"]>): string {
  const cost = confirm.cost_usd == null ? "at an unknown price" : `for $${Number(confirm.cost_usd).toFixed(4)}`;
  return (
    `Confirming stopped ${formatCount(confirm.bad_stopped)} of ${pluralize(confirm.bad, "bad result")} that had passed, ` +
    `and ${formatCount(confirm.good_stopped)} of ${pluralize(confirm.good, "good one")}, by ` +
    `${pluralize(confirm.asks, "ask")} ${cost}.`
  );
}

/** Describe what is not in a report, and why. */
export function describeLeftOut({ skipped, policies, disagreements: { total, items } }: Report): string[] {
  const ofPolicies = policies.flatMap(({ policy, criteria_not_listed: unlisted, labels_not_told_apart: untold }) => [
    unlisted > 0 && `${policy}: ${pluralize(unlisted, "further criterion", "further criteria")} not listed.`,
    untold > 0 && `${policy}: ${pluralize(untold, "label")} of criteria too many to tell apart.`,
  ]);
  return [
    ...skipped.map(({ line, reason }) => `Line ${line} was skipped: ${reason}.`),
    ...ofPolicies.filter((line) => line !== false),
    ...(total > items.length ? [`${pluralize(total - items.length, "further disagreement")} not listed.`] : []),
  ];
}
