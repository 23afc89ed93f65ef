import { expect, it } from "vitest";
import { aJob, aLog } from "@/testing/factories";
import { countWaiting, currentReasons, describeCause, describeEnd, findRemedyPage } from "./waiting";

const nameOf = (id: string) => (id === "a-1" ? "writer" : id);

it.each([
  ["limit_concurrency", "tenant:press", "limit tenant:press is reached: 5 of 5 running", "/system/limits"],
  ["limit_rate", "agent:a-1", "rate limit of agent:writer is reached: 5 of 5 started", "/system/limits"],
  ["limit_paused", "agent:a-1", "writer is paused", "/agents"],
  ["limit_paused", "batch:b-1", "batch b-1 is paused", "/batches/$id"],
  ["limit_paused", "batch:*", "every batch is paused", "/system/limits"],
  ["protocol_not_called", "a2a", "no executor calls agents by a2a", undefined],
  ["limits_lost", "", "what administrators set was lost, and is to be confirmed", "/system/limits"],
  ["circuit_open", "a-1", "circuit of writer is open after 5 failures", "/agents"],
  ["agent_disabled", "a-1", "writer is disabled", "/agents"],
  ["no_room", "executor", "executors are full: 5 of 5 taken", undefined],
  ["share", "agent:a-1", "agent:writer has its share of the executors: 5 of 5 taken", undefined],
  ["judge_away", "", "the judge does not answer", undefined],
  ["queue", "", "waits for its turn", undefined],
  ["something_new", "x", "something new x", undefined],
])("%s of %s is told in words, with the page that lifts it", (code, name, words, page) => {
  expect(describeCause({ code, name, used: 5, allowed: 5 }, nameOf)).toBe(words);
  expect(findRemedyPage({ code, name })?.to).toBe(page);
});

it("what a tenant spent is told apart, of agents and of judges", () => {
  const spent = { allowed_usd: "20", agents_usd: "19.5", judges_usd: "0.75" };
  const words = "tenant:press has spent what it may today";
  const cause = { code: "limit_usd_per_day", name: "tenant:press" };
  expect(describeCause({ ...cause, ...spent }, nameOf)).toBe(`${words}: agents 19.5 and judges 0.75 of 20 USD`);
  expect(describeCause(cause, nameOf)).toBe(words);
  expect(findRemedyPage(cause)?.to).toBe("/system/limits");
});

it("what comes at the end of a wait is said before the time that is left", () => {
  const codes = ["not_before", "circuit_open", "limit_rate"];
  expect(codes.map((code) => `${describeEnd(code)}in 9 s`)).toEqual([
    " in 9 s",
    ", tried again in 9 s",
    ", the next begins in 9 s",
  ]);
});

it("what was read before the newest entry is not told any more", () => {
  const reasons = [{ code: "queue", name: "", owner: "signoff", remedy: "its turn comes" }];
  const job = aJob({ last_log: aLog({ created_at: "2026-11-25T00:00:05.250Z" }) });
  expect(currentReasons(job, { since: "2026-11-25T00:00:05.250123Z", reasons })).toEqual(reasons);
  expect(currentReasons(job, { since: "2026-11-25T00:00:04Z", reasons })).toEqual([]);
  expect(currentReasons(job, null)).toEqual([]);
});

it("sums are counted once each", () => {
  const sum = { name: "", owner: "signoff", remedy: "" };
  expect(
    countWaiting([
      { ...sum, code: "queue", count: 22 },
      { ...sum, code: "no_room", count: 390 },
    ]),
  ).toBe(412);
});
