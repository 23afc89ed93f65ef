import { expect, it } from "vitest";
import { findSuggestedField, suggest } from "./suggest";

const FACETS = [
  { value: "FAILED", count: 3 },
  { value: "a b", count: 2, name: "Writer" },
];
const parts = (text: string) => suggest(text, FACETS).map(({ part }) => part);

it.each<[string, string | undefined, string[]]>([
  ["", undefined, []],
  ["moon ", undefined, []],
  ["moon c", undefined, ["code:", "criterion:", "cost>", "created:"]],
  ['"c', undefined, []],
  ["cost>", undefined, []],
  ["foo:", undefined, []],
  ["x status:", "status", ["status:failed", 'status:"a b"']],
  ["agent:WRI", "agent", ['agent:"a b"']],
  ["label:", "label", ["label:FAILED=", 'label:"a b"=']],
  ["label:team=fai", "label:team", ["label:team=FAILED"]],
  ['label:"my team"=a', "label:my team", ['label:"my team"=FAILED', 'label:"my team"="a b"']],
  ["status:failed", "status", []],
  ["x -agent:WRI", "agent", ['agent:"a b"']],
])("after %j, of %s: %j", (text, field, expected) => {
  expect(findSuggestedField(text)).toBe(field);
  expect(parts(text)).toEqual(expected);
  for (const each of suggest(text, FACETS))
    expect(each.text.endsWith((text.includes("-") ? "-" : "") + each.part)).toBe(true);
});
