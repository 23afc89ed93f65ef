import { afterEach, expect, it, vi } from "vitest";
import { fromWallTime, toWallTime } from "./wall-time";

it("a time of the wall is read and written in its zone, to the minute", () => {
  expect(toWallTime("2026-11-25T10:20:30Z", "UTC")).toBe("2026-11-25T10:20");
  expect(fromWallTime("2026-11-25T10:20", "UTC")).toBe("2026-11-25T10:20:00.000Z");
  const local = toWallTime("2026-07-01T00:00:00Z");
  expect(fromWallTime(local)).toBe("2026-07-01T00:00:00.000Z");
});

afterEach(() => vi.unstubAllEnvs());

it.each([
  ["Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:30"],
  ["Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T03:30"],
  ["America/New_York", "2026-03-08T07:30:00Z", "2026-03-08T03:30"],
])("a time near the change of a zone's clock is the one of %s", (zone, at, shown) => {
  vi.stubEnv("TZ", zone);
  expect(toWallTime(at)).toBe(shown);
});

it("what is not written to its end is no time yet", () => {
  for (const text of ["", "0202-11-25T10:20"]) expect(fromWallTime(text)).toBeUndefined();
});
