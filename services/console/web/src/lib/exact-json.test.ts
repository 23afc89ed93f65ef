import { expect, it } from "vitest";
import { explainInvalidJson, parseJson, stringifyJson } from "./exact-json";

it("numbers stay what was written", () => {
  const text = '{"id":9007199254740993,"sum":123456789012345678901234567890,"share":0.1,"one":1.0}';
  const value = parseJson(text) as Record<string, unknown>;
  expect(value.share).toBe(0.1);
  expect(stringifyJson(value)).toBe(text.replace("1.0", "1"));
});

it("what is no JSON is told with its place; nothing at all is no mistake", () => {
  expect([explainInvalidJson(" "), explainInvalidJson('{"a": 1}')]).toEqual([undefined, undefined]);
  expect(explainInvalidJson('{"a": 1,}')).toMatch(/^This is not JSON: .*line 1 column 9/);
});
