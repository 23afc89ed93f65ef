import { expect, it } from "vitest";
import { aJob } from "@/testing/factories";
import { describeSearch } from "./describe-search";
import { type JobsSearch, toJobsQuery } from "./jobs-search";
import { explainMismatch } from "./mismatch";
import { parseJobsSearch } from "./parse-address";

const HOUR_MS = 3_600_000;
const BATCH = "0199d5a8-0000-7000-8000-00000000000a";
const JOB = aJob({
  id: "board-7",
  title: "Summarise the Minutes",
  status: "FAILED",
  agent_id: "scribe",
  tenant: "board",
  batch_id: BATCH,
  labels: { team: "a", link: "https://x" },
});
const CREATED = Date.parse(JOB.created_at);
const matches = (...asked: Parameters<typeof explainMismatch>) => explainMismatch(...asked) === null;

it.each<[JobsSearch, boolean]>([
  [{}, true],
  [{ status: ["FAILED", "REJECTED"] }, true],
  [{ status: ["REJECTED"] }, false],
  [{ agent: "scribe" }, true],
  [{ agent: "writer" }, false],
  [{ tenant: "board" }, true],
  [{ tenant: "default" }, false],
  [{ label: ["team:a", "link:https://x"] }, true],
  [{ label: ["team:a", "kind:b"] }, false],
  [{ label: ["team:"] }, false],
  [{ reason: ["queue"] }, false],
  [{ period: "1h" }, true],
  [{ tenant: "board", text: "minutes", status: ["PENDING"] }, false],
  [{ sort: "updated", ascending: true }, true],
  [{ from: "2026-11-25T00:00:00Z", to: "2026-11-25T00:00:01Z" }, true],
  [{ from: "2026-11-25T00:00:01Z" }, false],
  [{ from: "2026-11-25T01:00:00+01:00" }, true],
  [{ to: "2026-11-25T00:00:00Z" }, false],
])("a job against %j: %s", (search, isMatch) => {
  expect(matches(JOB, search, CREATED + HOUR_MS)).toBe(isMatch);
});

it("a job grows out of a range of time", () => {
  expect(matches(JOB, { period: "1h" }, CREATED + HOUR_MS + 1)).toBe(false);
  expect(matches(JOB, { period: "24h" }, CREATED + HOUR_MS + 1)).toBe(true);
});

it("a job without an agent has none that is asked for", () => {
  expect(matches(aJob({ agent_id: undefined }), { agent: "writer" }, CREATED)).toBe(false);
});

it("what a text finds, and which jobs are of a batch, the server alone knows", () => {
  for (const text of ["minutes summar", "of its description"]) expect(matches(JOB, { text }, CREATED)).toBe(true);
  const retriedIn = aJob({ batch_id: "0199d5a8-0000-7000-8000-00000000000b" });
  expect(matches(retriedIn, { batch: BATCH }, CREATED)).toBe(true);
});

it("exact times stand in the address, and are what is asked for; a period gives way to them", () => {
  const search = parseJobsSearch({ from: "2026-11-24T23:00:00+01:00", to: "2026-11-25", period: "1h" });
  expect(search).toEqual({ from: "2026-11-24T23:00:00+01:00", to: "2026-11-25" });
  expect(toJobsQuery(search, CREATED)).toEqual({
    created_after: "2026-11-24T22:00:00.000Z",
    created_before: "2026-11-25T00:00:00.000Z",
  });
  expect(describeSearch(search, "UTC")).toBe("created from 24 Nov 2026, 22:00 UTC until 25 Nov 2026, 00:00 UTC");
  expect(parseJobsSearch({ from: "yesterday", period: "1h" })).toEqual({ period: "1h", unknown: ["from=yesterday"] });
});

it("takes a filter by the name that it has at other doors, and a status in any case", () => {
  const search = parseJobsSearch({
    q: "moon",
    agent_id: "writer",
    spent_min: "1",
    duration_max: "5",
    status: "failed",
  });
  expect(search).toEqual({ text: "moon", agent: "writer", costMin: 1, durationMax: 5, status: ["FAILED"] });
});

it("reads again what it has read, as the router does", () => {
  const search = parseJobsSearch({ notStatus: "FAILED", cancelled: "false", costMin: "0", ascending: "true" });
  expect(parseJobsSearch(search as never)).toEqual(search);
});

it("asks for all statuses but those that are negated", () => {
  const search = parseJobsSearch({ notStatus: ["FAILED", "PENDING"], cancelled: "false" });
  expect(toJobsQuery(search, CREATED)).toEqual({
    status: ["ASSIGNED", "IN_PROGRESS", "COMPLETED", "REJECTED", "RESUBMISSION_REQUIRED"],
    cancelled: false,
  });
  expect(describeSearch(search, "UTC")).toBe("status not FAILED or PENDING, not cancelled");
  expect([matches(JOB, search, CREATED), matches(JOB, { notStatus: ["PENDING"] }, CREATED)]).toEqual([false, true]);
});

it("leaves out what is negated, and reads it from the address", () => {
  const search = parseJobsSearch({
    notAgent: "writer",
    notLabel: ["team:b", "team"],
    not_code: "x",
    notCriterion: "y",
  });
  expect(search).toEqual({
    ...{ notAgent: ["writer"], notLabel: ["team:b"], notCode: ["x"], notCriterion: ["y"] },
    unknown: ["notLabel=team"],
  });
  expect(toJobsQuery(search, CREATED)).toEqual({
    ...{ not_agent_id: ["writer"], not_label: ["team:b"], not_code: ["x"], not_criterion_not_met: ["y"] },
  });
  expect(describeSearch({ ...search, unknown: undefined }, "UTC", () => "Poet")).toBe(
    "agent not Poet, label not team:b, code not x, not: criterion not met “y”",
  );
  expect([explainMismatch(JOB, search, CREATED), explainMismatch(JOB, { notAgent: ["scribe"] }, CREATED)]).toEqual([
    null,
    "its agent has changed",
  ]);
});

it("says which filter a job does not pass", () => {
  expect(explainMismatch(JOB, { agent: "writer" }, CREATED)).toBe("its agent has changed");
  expect(explainMismatch(JOB, { label: ["team:b"] }, CREATED)).toBe("its labels have changed");
  expect(explainMismatch(JOB, { agent: "scribe" }, CREATED)).toBeNull();
});

it("how jobs ended is asked for, restated, and read from the address", () => {
  const search = parseJobsSearch({
    ...{ code: ["agent_timeout", ""], criterion: "It rhymes", costMin: "0.1", durationMax: "60" },
    ...{ period: "90m", sort: "duration", ascending: "true" },
  });
  expect(toJobsQuery(search, CREATED + HOUR_MS)).toEqual({
    ...{
      code: ["agent_timeout"],
      criterion_not_met: "It rhymes",
      cost_usd_min: "0.1",
      duration_s_max: 60,
      order: "duration_s",
    },
    created_after: "2026-11-24T23:30:00.000Z",
  });
  expect(describeSearch(search, "UTC")).toBe(
    "code agent_timeout, criterion not met “It rhymes”, cost at least $0.1, duration at most 60 s, created within 90m",
  );
  expect(explainMismatch(JOB, { code: ["x"] }, CREATED)).toBeNull(); // no event tells of a code
  expect(explainMismatch({ ...JOB, live: true }, { costMin: 1 }, CREATED)).toBe("it runs again");
  expect(parseJobsSearch({ period: "1y", costMin: "much", sort: "priority", ascending: "true" })).toEqual({
    sort: "priority",
    unknown: ["period=1y", "costMin=much"],
  });
});

it("a reason is described in words, by what it names, or by its code alone", () => {
  const reason = ["limit_paused:agent:a-1", "queue", "circuit_open"];
  expect(describeSearch({ reason }, "UTC", () => "Poet")).toBe(
    "waiting: Poet is paused, waiting: waits for its turn, waiting: circuit open",
  );
});
