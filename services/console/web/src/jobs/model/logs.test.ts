import { expect, it } from "vitest";
import { formatReason } from "./logs";

it.each([
  ["agent_status", "the agent answered 422: no language", "no language"],
  [
    "verdict_reused",
    "verdict reused of job a b version 6: 3 of 4 criteria are met",
    "3 of 4 criteria are met; verdict reused",
  ],
  ["verdict_reused", "something else", "something else"],
  [undefined, "the agent answered 422: no language", "the agent answered 422: no language"],
])("the message of an entry with the code %s says first what is new", (code, message, words) => {
  expect(formatReason({ code, message })).toBe(words);
});
