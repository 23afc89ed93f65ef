import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { renderPage } from "@/testing/render";
import written from "@/testing/report.json";
import { aPolicyReport, aReport, aReportFile } from "@/testing/reports";
import { EvaluationsPage } from "./EvaluationsPage";

async function opened(report?: unknown) {
  const shown = await renderPage(<EvaluationsPage />);
  await shown.user.upload(screen.getByLabelText("Report"), aReportFile(report));
  return shown;
}

it("shows the measures of each policy with their intervals, and whether they differ", async () => {
  await opened();
  const all = await screen.findByRole("region", { name: "In all" });
  expect(within(all).getByRole("row", { name: /^Agreement 85\.0 % \(64\.0 to 94\.8\)/ })).toBeVisible();
  expect(within(all).getByRole("row", { name: /^Cost/ })).toHaveTextContent("Cost$0.0612not known");
  expect(within(all).getByRole("row", { name: /^Not judged/ })).toHaveTextContent("2 judge_refused");
  expect(within(all).getByRole("row", { name: /^Flips/ })).toHaveTextContent("5.0 % (0.9 to 23.6)");
  expect(within(all).getByRole("row", { name: /^Agreement by criterion/ })).toHaveTextContent("undefined: no such");
  expect(all).toHaveTextContent("strict@3 alone is right in 8 cases, default alone in 1: p = 0.0391");
  expect(all).toHaveTextContent("chance explains that badly");
});

it("says what confirming was worth", async () => {
  const confirm = { bad: 9, bad_stopped: 7, good: 20, good_stopped: 1, asks: 31, cost_usd: "0.02" };
  await opened(aReport({ policies: [aPolicyReport("strict@3", { confirm })] }));
  const said = "Confirming stopped 7 of 9 bad results that had passed, and 1 of 20 good ones, by 31 asks for $0.0200.";
  expect(await screen.findByText(said)).toBeVisible();
});

it("reads a report as the command line writes it", async () => {
  await opened(written);
  const all = await screen.findByRole("region", { name: "In all" });
  expect(within(all).getByRole("row", { name: /^Flips/ })).toHaveTextContent("not repeatednot repeated");
  expect(within(screen.getByRole("region", { name: "lax" })).getByText("false accepts")).toBeVisible();
  expect(screen.getByText(/^Line 4 was skipped: is no JSON/)).toBeVisible();
});

it("shows the confusion matrix of a policy, and each criterion", async () => {
  await opened();
  const policy = await screen.findByRole("region", { name: "strict@3" });
  expect(within(policy).getByRole("row", { name: /^Labelled bad/ })).toHaveTextContent(
    "Labelled bad2 false accepts6 true rejects",
  );
  expect(within(policy).getByRole("row", { name: /^It rhymes/ })).toHaveTextContent("undefined");
});

it("opens a disagreement to read, and shows the evidence in the result", async () => {
  const { user } = await opened();
  const disagreements = await screen.findByRole("region", { name: "Disagreements" });
  await user.click(within(disagreements).getByText("A poem of the sea"));
  const row = await within(disagreements).findByRole("row", { name: /^It rhymes/ });
  expect(row).toHaveTextContent("not met");
  expect(row).toHaveTextContent("not as labelled");
  await user.click(within(row).getByRole("button", { name: "“the sea is deep”" }));
  const result = within(disagreements).getByRole("region", { name: "Result" });
  expect(result.querySelector("mark[aria-current]")).toHaveTextContent("the sea is deep");
});

it("says what a quorum is worth, and what is not in the report", async () => {
  const quorum = {
    votes: 5,
    labels: 90,
    correlation: 0.5,
    worth_votes: 1.7,
    worth_votes_low: 1.4,
    majority_wrong: 9,
    best_wrong: 4,
  };
  const policy = aPolicyReport("strict@3", { quorum: [{ ...quorum, adds_nothing: true }], criteria_not_listed: 1 });
  await opened(aReport({ policies: [policy], comparisons: [], skipped: [{ line: 3, reason: "is no JSON" }] }));
  expect(
    await screen.findByText(/worth 1\.7 independent votes \(95 % interval 1\.4 or more\).*adds nothing to that one/),
  ).toBeVisible();
  expect(screen.getByText("Line 3 was skipped: is no JSON.")).toBeVisible();
  expect(screen.getByText("strict@3: 1 further criterion not listed.")).toBeVisible();
});

const { disagreements: _, ...WITHOUT_DISAGREEMENTS } = aReport();

it.each([
  ["no JSON", "{"],
  ["null", null],
  ["a list", []],
  ["a part of a report", WITHOUT_DISAGREEMENTS],
  ["a measure that is no number", aReport({ policies: [aPolicyReport("a", { asks: "many" as never })] })],
  ["labels that are no list", aReport({ disagreements: { total: 1, items: [{ labels: "x" }] as never } })],
])("refuses what is no report: %s", async (_name, content) => {
  await opened(content);
  expect(await screen.findByText(/It is no report/)).toBeVisible();
  expect(screen.getByText("No report is open")).toBeVisible();
});
