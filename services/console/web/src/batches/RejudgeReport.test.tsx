import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aBatch } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on } from "@/testing/server";
import { describeChanges } from "./CriterionDiffs";
import { RejudgeReport } from "./RejudgeReport";

const SHADOW = aBatch({ kind: "rejudge", shadow: true, judge: "strict@3", state: "DONE" });

it("shows what flips with the criteria that changed, and what could not be judged", async () => {
  on("get", "/api/operations/:id/rejudge-report", () =>
    json({
      ...{ judged: 9, judged_before: 8, accepted_before: 5, accepted_after: 4, flipped: 1 },
      ...{ failed: { judging_lost: 1 }, cost_usd: "0.25", tokens: 900, next_page_token: "" },
      criteria: [{ text: "It rhymes", judged: 9, changed: 1, outcomes: { "pass > fail": 1, "pass > pass": 8 } }],
      flips: [
        {
          ...{ item: 0, job_id: "poem", title: "A poem", was_valid: true, is_valid: false, reason: "no rhyme" },
          criteria: [{ text: "It rhymes", before: "pass", after: "fail" }],
        },
      ],
    }),
  );
  await renderPage(<RejudgeReport batch={SHADOW} />);
  const flips = await screen.findByRole("list", { name: "Flips" });
  expect(screen.getByRole("heading", { name: "What would flip" })).toBeVisible();
  expect(screen.getByText(/accepted 5 of 8 before, 4 of 9 now/)).toHaveTextContent("1 flips (13 %)");
  expect(within(flips).getByRole("link", { name: "A poem" })).toHaveAttribute("href", "/jobs/poem");
  expect(within(flips).getByText("Not accepted")).toBeVisible();
  expect(screen.getByText("judging_lost")).toBeVisible();
  expect(screen.getByRole("table", { name: "By criterion" })).toHaveTextContent("1 met, now not met");
});

it("tells of changes alone, the most frequent first", () => {
  expect(describeChanges({ "pass > pass": 9, "fail > pass": 1, "pass > cannot_assess": 2 })).toEqual([
    "2 met, now cannot be assessed",
    "1 not met, now met",
  ]);
});
