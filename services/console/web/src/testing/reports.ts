import type { Interval, PolicyReport, Report } from "@/judges/evaluations/report";

const aShare = (share: number, low = 0, high = 1): Interval => ({ share, low, high });
const UNDEFINED: Interval = { share: null, low: null, high: null };

const aMeasure = (fields: Partial<PolicyReport["overall"]> = {}): PolicyReport["overall"] => ({
  ...{
    labelled: 20,
    good: 12,
    bad: 8,
    true_accepts: 11,
    false_accepts: 2,
    true_rejects: 6,
    false_rejects: 1,
    unsure: 3,
  },
  kappa: 0.68,
  agreement: aShare(0.85, 0.64, 0.948),
  true_positive_rate: aShare(0.917),
  true_negative_rate: aShare(0.75),
  false_accept_rate: aShare(0.25),
  false_reject_rate: aShare(0.083),
  ...fields,
});

export const aPolicyReport = (policy: string, fields: Partial<PolicyReport> = {}): PolicyReport => ({
  policy,
  versions: { [policy]: 20 },
  overall: aMeasure(),
  all_criteria: aMeasure({ kappa: null, agreement: UNDEFINED }),
  criteria: [{ criterion: "It rhymes", ...aMeasure({ kappa: null }) }],
  criteria_not_listed: 0,
  labels_not_told_apart: 0,
  unjudged: {},
  flips: { cases: aShare(0.05, 0.009, 0.236), criteria: aShare(0.1) },
  asks: 40,
  tokens: 12_000,
  cost_usd: "0.0612",
  asks_of_unknown_cost: 0,
  latency_s: { median: 1.2, p95: 3.4 },
  confirm: null,
  quorum: [],
  ...fields,
});

/** Report of two policies on labelled cases, as the command line prints it. */
export const aReport = (fields: Partial<Report> = {}): Report => ({
  evaluation: "7d0c2a0e-6a43-4b0f-9f5a-0c8a9d1f2b34",
  cases: 20,
  cases_hash: "ab".repeat(32),
  repeats: 2,
  skipped: [],
  policies: [aPolicyReport("strict@3"), aPolicyReport("default", { cost_usd: null, unjudged: { judge_refused: 2 } })],
  comparisons: [
    {
      first: "strict@3",
      second: "default",
      both_right: 9,
      only_first_right: 8,
      only_second_right: 1,
      both_wrong: 2,
      p: 0.0391,
    },
  ],
  disagreements: {
    total: 1,
    items: [
      {
        id: "case-7",
        title: "A poem of the sea",
        result: { text: "The sea is wide, the sea is deep.", chars_left_out: 0 },
        label: false,
        criteria: ["It rhymes", "It names the sea"],
        labels: [false, null],
        judged: {
          "strict@3": { accepted: true, outcomes: "pp", reason: "all met", evidence: [["the sea is deep"], []] },
          default: { error: "judge_refused" },
        },
      },
    ],
  },
  ...fields,
});

export const aReportFile = (report: unknown = aReport()): File =>
  new File([typeof report === "string" ? report : JSON.stringify(report)], "report.json", { type: "application/json" });
