import { expect, it } from "vitest";
import type { JobLog } from "@/api/types";
import { aLog } from "@/testing/factories";
import { formatTimes, measureTimes } from "./times";

const at = (seconds: number) => new Date(Date.parse("2026-11-25T00:00:00Z") + seconds * 1_000).toISOString();
const entry = (kind: string, seconds: number, fields: Partial<JobLog> = {}) =>
  aLog({ kind, created_at: at(seconds), ...fields });
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
