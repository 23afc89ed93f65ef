import { expect, it } from "vitest";
import { formatDuration } from "./format";

const HOUR = 3_600_000;

it.each([
  [120, "120 ms"],
  [3_400, "3.4 s"],
  [42_900, "42 s"],
  [72_000, "1m 12s"],
  [2 * HOUR + 300_000, "2h 05m"],
  [47.9 * HOUR, "47h 54m"],
  [637.8 * HOUR, "26d 13h"],
])("%d ms are %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
