import { aLog, aVerdict } from "./factories";

/** Verdicts on two submissions, and the log of a job that had both. */
export const FIRST = aVerdict();
export const SECOND = aVerdict({
  is_valid: true,
  criteria: FIRST.criteria.map((criterion) => ({ ...criterion, outcome: "pass" as const })),
});
export const HISTORY = [
  aLog({
    version: 1,
    status: "ASSIGNED",
    execution_id: undefined,
    submission: undefined,
    message: "created, assigned to writer",
  }),
  aLog({ version: 2, status: "ASSIGNED", message: "submission 1 was requested" }),
  aLog({ version: 3, kind: "result", result: { text: "moon and June\nand so on" } }),
  aLog({
    version: 4,
    kind: "not_met",
    status: "RESUBMISSION_REQUIRED",
    result: { text: "moon and June\nand so on" },
    verdict: FIRST,
  }),
  aLog({
    version: 5,
    status: "ASSIGNED",
    execution_id: "execution-2",
    submission: 2,
    message: "submission 2 was requested",
  }),
  aLog({
    version: 6,
    status: "COMPLETED",
    execution_id: "execution-2",
    submission: 2,
    kind: "met",
    result: { text: "moon and June" },
    verdict: SECOND,
  }),
];
