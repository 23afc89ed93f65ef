import { expect, it } from "vitest";
import type { Job } from "@/api/types";
import { aJob } from "@/testing/factories";
import { describeMatching, orderKinds, toFilter } from "./operation";

const NOW = Date.parse("2026-11-25T01:00:00Z");

it("likely is what most of the jobs allow, and executing what failed alone is a retry", () => {
  const jobs = (...fields: Partial<Job>[]) => fields.map((each, index) => aJob({ id: String(index), ...each }));
  const [live, failed, sentBack] = [{ live: true }, { status: "FAILED" }, { status: "RESUBMISSION_REQUIRED" }] as const;
  expect(orderKinds(jobs(live, live, failed))[0]).toBe("cancel");
  expect(orderKinds(jobs(failed))).toEqual(["retry", "cancel", "resubmit", "assign", "rejudge", "remove"]);
  expect(orderKinds(jobs(failed, {}))[0]).toBe("execute");
  expect(orderKinds(jobs(sentBack, sentBack, failed))[0]).toBe("resubmit");
  expect(orderKinds(jobs({ status: "REJECTED" }))[0]).toBe("assign");
  expect(orderKinds(jobs({ status: "COMPLETED" }))[0]).toBe("rejudge");
  expect(orderKinds(jobs(failed), {})[0]).toBe("execute");
  expect(orderKinds(jobs(failed), { status: ["FAILED"] })[0]).toBe("retry");
});

it("what is done to all is done to those that allow it, and match", () => {
  expect(toFilter("execute", {}, NOW)).toEqual({ statuses: ["PENDING", "ASSIGNED", "FAILED"] });
  expect(toFilter("retry", { text: "x", period: "1h", status: ["FAILED", "REJECTED"] }, NOW)).toEqual({
    statuses: ["FAILED"],
    created_after: "2026-11-25T00:00:00.000Z",
    text: "x",
  });
  expect(toFilter("retry", { notAgent: ["w"], notLabel: ["team:red"], notCriterion: ["z"] }, NOW)).toEqual({
    ...{ statuses: ["FAILED"], not_agent_ids: ["w"], not_labels: ["team:red"], not_criteria_not_met: ["z"] },
  });
  const search = { code: ["x"], criterion: "y", costMin: 0, durationMax: 60 };
  expect(toFilter("retry", search, NOW)).toEqual({
    ...{ statuses: ["FAILED"], codes: ["x"], criterion_not_met: "y", cost_usd_min: "0", duration_s_max: 60 },
  });
  expect(toFilter("cancel", { reason: ["limit_paused:agent:a"] }, NOW).reasons).toEqual(["limit_paused:agent:a"]);
  expect(describeMatching(undefined, {})).toBe("All match");
  expect(describeMatching({ counts: { FAILED: 100, COMPLETED: 5 }, capped_at: 100, cancelled: 0 }, {})).toBe(
    "At least 105 match",
  );
  expect(describeMatching({ counts: { FAILED: 2 }, capped_at: 100, cancelled: 0, searched: 10 }, {})).toBe(
    "At least 2 match",
  );
});
