import { expect, it } from "vitest";
import { fromWallTime, toWallTime } from "./wall-time";

it("a time of the wall is read and written in its zone, to the minute", () => {
  expect(toWallTime("2026-11-25T10:20:30Z", "UTC")).toBe("2026-11-25T10:20");
  expect(fromWallTime("2026-11-25T10:20", "UTC")).toBe("2026-11-25T10:20:00.000Z");
  const local = toWallTime("2026-07-01T00:00:00Z");
  expect(fromWallTime(local)).toBe("2026-07-01T00:00:00.000Z");
});

it("what is not written to its end is no time yet", () => {
  for (const text of ["", "0202-11-25T10:20"]) expect(fromWallTime(text)).toBeUndefined();
});
