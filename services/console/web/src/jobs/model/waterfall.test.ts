import { expect, it } from "vitest";
import type { JobLog } from "@/api/types";
import { aLog } from "@/testing/factories";
import { formatTimes, makeCalls, measureTimes, sumSpans, sumWaits } from "./waterfall";

const BEGIN = Date.parse("2026-11-25T00:00:00Z");
const at = (seconds: number) => new Date(BEGIN + seconds * 1_000).toISOString();
const entry = (kind: string, seconds: number, fields: Partial<JobLog> = {}) =>
  aLog({ kind, created_at: at(seconds), ...fields });
const lengths = (logs: JobLog[]) =>
  makeCalls(logs).map(({ spans }) =>
    spans.map(({ kind, begin, end }) => [kind, end === null ? null : (end - begin) / 1_000]),
  );

it("a life is a wait, a call and a judging, with ticks for the progress", () => {
  const logs = [
    entry("created", -1, { execution_id: undefined }),
    ...[entry("requested", 0), entry("claimed", 2), entry("call_begun", 2.5), entry("progress", 3, { progress: 0.5 })],
    ...[entry("result", 5), entry("met", 9, { duration_s: 1, status: "COMPLETED" })],
  ];
  expect(lengths(logs)).toEqual([
    [
      ["queue", 2.5],
      ["agent", 2.5],
      ["judgeQueue", 3],
      ["judge", 1],
    ],
  ]);
  expect(makeCalls(logs)[0]?.ticks).toEqual([{ version: 1, at: BEGIN + 3_000, share: 0.5 }]);
});

it("a call that failed is followed by the wait until the next, and a duration tells when it began", () => {
  const logs = [
    ...[
      entry("requested", 0),
      entry("claimed", 1),
      entry("call_failed", 3, { next_attempt_at: at(10), duration_s: 2 }),
    ],
    ...[entry("claimed", 12), entry("failed", 15, { duration_s: 2, code: "agent_status", status: "FAILED" })],
  ];
  expect(lengths(logs)).toEqual([
    [
      ["queue", 1],
      ["agent", 2],
    ],
    [
      ["backoff", 7],
      ["queue", 3],
      ["agent", 2],
    ],
  ]);
  expect(makeCalls(logs).map(({ number }) => number)).toEqual([1, 2]);
});

it("a beginning that was recorded only as the call ended is where its duration says", () => {
  const logs = [entry("requested", 0), entry("call_begun", 3), entry("call_failed", 3.001, { duration_s: 2 })];
  expect(lengths(logs)[0]).toEqual([
    ["queue", 1.001],
    ["agent", 2],
  ]);
});

it("a lost validator is no call of the agent, and a late result no judging", () => {
  const logs = [entry("requested", 0), entry("call_begun", 1), entry("result", 2), entry("lapsed", 5), entry("met", 9)];
  expect(lengths(logs)).toEqual([
    [
      ["queue", 1],
      ["agent", 1],
      ["judge", 7],
    ],
  ]);
  const late = [entry("requested", 0), entry("cancelled", 2), entry("result", 5, { status: "CANCELLED" })];
  expect(lengths(late)).toEqual([[["queue", 2]]]);
});

it("what goes on has no end, and counts until now", () => {
  const calls = makeCalls([entry("requested", 0)]);
  expect(calls[0]?.spans[0]?.end).toBeNull();
  expect(sumSpans(calls, BEGIN + 7_000)).toEqual({ queue: 7_000 });
});

it("a submission that failed and was executed again has its tries numbered", () => {
  const tries = ["e-1", "e-2"].flatMap((execution_id) => [
    entry("requested", 0, { execution_id }),
    entry("failed", 1, { execution_id, status: "FAILED" }),
  ]);
  const next = entry("requested", 3, { execution_id: "e-3", submission: 2 });
  const calls = makeCalls([...tries, next]);
  expect(calls.map(({ submission, nth, number }) => [submission, nth, number])).toEqual([
    [1, 1, 1],
    [1, 2, 1],
    [2, 1, 1],
  ]);
});

it("the entries of an execution whose request is not known have no place", () => {
  expect(makeCalls([entry("progress", 0), entry("result", 1)])).toEqual([]);
});

it("what was waited for in the queue is kept with the wait, and summed up", () => {
  const wait = (code: string, since: number, until: number) => ({
    code,
    name: "a",
    since: at(since),
    until: at(until),
  });
  const logs = [
    ...[entry("requested", 0), entry("claimed", 4, { waited: [wait("limit_rate", 1, 3), wait("no_room", 3, 4)] })],
    ...[entry("call_failed", 6, { duration_s: 1 }), entry("claimed", 9, { waited: [wait("limit_rate", 7, 9)] })],
    entry("failed", 10, { duration_s: 1, status: "FAILED" }),
  ];
  const calls = makeCalls(logs);
  const queues = calls.flatMap(({ spans }) => spans).filter(({ kind }) => kind === "queue");
  expect(queues.map(({ waits }) => waits?.map(({ code }) => code))).toEqual([
    ["limit_rate", "no_room"],
    ["limit_rate"],
  ]);
  expect(sumWaits(calls).map(({ wait, took }) => [wait.code, took])).toEqual([
    ["limit_rate", 4_000],
    ["no_room", 1_000],
  ]);
});

const measured = (until: number, ...logs: ReturnType<typeof entry>[]) => measureTimes(logs, Date.parse(at(until)));

it("what waited for a circuit did not run", () => {
  const times = measured(127, entry("requested", 0), entry("claimed", 121), entry("call_begun", 121));
  expect(times).toEqual({ waited: 121_000, ran: 6_000, judged: 0 });
  expect(formatTimes(times)).toBe("waited 2m 01s, ran 6.0 s");
});

it("the pause before the next call is a wait, by the same worker and by another", () => {
  const again = { next_attempt_at: at(13), duration_s: 2 };
  const begun = [entry("requested", 0), entry("claimed", 1)];
  const same = [...begun, entry("call_failed", 3, again), entry("result", 15, { duration_s: 2 })];
  expect(measured(16, ...same)).toEqual({ waited: 11_000, ran: 4_000, judged: 1_000 });
  const other = [...begun, entry("attempt_failed", 3, again), entry("claimed", 14), entry("call_begun", 14)];
  expect(measured(15, ...other)).toEqual({ waited: 12_000, ran: 3_000, judged: 0 });
});

it("all of the time is told, also in the midst of it", () => {
  const again = { next_attempt_at: at(13), duration_s: 2 };
  const logs = [entry("requested", 0), entry("claimed", 1), entry("call_failed", 3, again), entry("progress", 14)];
  for (const until of [14, 20]) {
    const { waited, ran, judged } = measured(until, ...logs);
    expect(waited + ran + judged).toBe(until * 1_000);
  }
});
