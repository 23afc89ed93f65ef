import { expect, it } from "vitest";
import type { JudgePolicyVersion } from "@/api/types";
import { describePolicy } from "./describe-policy";

const say = (policy: object) => describePolicy(policy as JudgePolicyVersion["policy"]);

it("says how a quorum judges, what a pass needs, and what evidence counts", () => {
  expect(
    say({
      stages: [{ kind: "checks" }, { kind: "quorum", votes: 3, judges: [{ model: "one" }, { model: "two" }] }],
      asks: "each",
      apart: ["It rhymes"],
      loop: [
        { confirm: true, from_submission: 1, asks: 0 },
        { from_submission: 2, asks: 2, judge: { model: "three" } },
        { from_submission: 3, asks: 0, check: "max_words: 9" },
      ],
      section_chars: 20_000,
      whole: "refuse",
      result_max_chars: 900_000,
    }),
  ).toEqual([
    "Checks run first; where a required one fails, no model is asked.",
    "Asks about each criterion by itself, three times, of one and two; the majority decides.",
    "Asks about “It rhymes” alone.",
    "Sees of what the agent was asked the title, the description and the payload.",
    "Refuses evidence that is not in the result.",
    "Always, the quoted passages alone must show what passed.",
    "From submission 2 on, a pass must withstand two asks of three told to refute it.",
    "From submission 3 on, a pass must withstand the check “max_words: 9”.",
    "Judges a result of more than 20,000 characters by sections, and a criterion about the whole not at all.",
    "Judges nothing of more than 900,000 characters.",
  ]);
});

it("says of a single judge and of a cascade who is asked", () => {
  expect(say({ stages: [{ kind: "single" }], asks: "all", task: [], loop: [] })).toEqual([
    "Asks about all criteria together, once, of the validators' own model.",
    "Sees nothing of what the agent was asked.",
    "Refuses evidence that is not in the result.",
    "Doubts no pass: a pass needs nothing more.",
  ]);
  expect(say({ stages: [{ kind: "cascade", judges: [{ model: "small" }, { model: "large" }] }] })[0]).toMatch(
    /first of small, and of large where that is unsure or its quotations fail\.$/,
  );
});
