import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Quality } from "@/api/types";
import { renderPage } from "@/testing/render";
import { items, json, on, problem } from "@/testing/server";
import { QualityPage } from "./QualityPage";
import { parseQualitySearch, type QualitySearch } from "./search";

const counts = (judged: number, accepted: number, compared = 0, flipped = 0) => ({
  ...{ judged, accepted, unjudged: 0, compared, flipped },
  ...(judged > 0 && { acceptance_rate: accepted / judged }),
});

const QUALITY: Quality = {
  points: [{ at: "2026-11-25T00:00:00Z", ...counts(10, 7) }],
  totals: counts(10, 7, 4, 1),
  agents: [
    { name: "writer", models: {}, ...counts(8, 7) },
    { name: "ocr", models: {}, ...counts(2, 0) },
  ],
  judges: [{ name: "strict@3", models: { "a-model": 10 }, ...counts(10, 7, 4, 1) }],
  criteria: [
    { text: "It rhymes", passed: 4, failed: 3, unassessed: 1 },
    { text: "It is short", passed: 9, failed: 0, unassessed: 1 },
  ],
  others: { text: "", passed: 5, failed: 1, unassessed: 0 },
};
const EVALUATED = {
  ...{ name: "strict", current: 3, newest: 3, moves: [] },
  versions: [
    {
      ...{ version: 3, actor: "anna", created_at: "2026-11-25T00:00:00Z", warnings: [] },
      judged: { met: 0, not_met: 0, unjudged: 0, tokens: 0, cost_usd: "0" },
      evaluation: { version: 3, overall: { true_accepts: 30, true_rejects: 28, false_accepts: 1, false_rejects: 1 } },
    },
  ],
};

async function page(search: QualitySearch = {}, quality: Quality = QUALITY) {
  const asked: URL[] = [];
  on("get", "/api/quality", (request) => {
    asked.push(new URL(request.url));
    return json(quality);
  });
  on("get", "/api/judges/:name", () => json(EVALUATED));
  on("get", "/api/agents", () => items());
  return { asked, ...(await renderPage(<QualityPage search={search} />)) };
}

it("says what was accepted, by whom it was judged, and what fails", async () => {
  await page();
  expect(await screen.findByText(/10 results judged, 70 % accepted\. Of 4 judgings .*1 flipped/)).toBeVisible();
  const judges = await screen.findByRole("table", { name: "By judge" });
  expect(within(judges).getByRole("link", { name: "strict@3" })).toHaveAttribute(
    "href",
    "/quality/judges/strict?version=3",
  );
  await waitFor(() => expect(judges).toHaveTextContent("58 of 60"));
  expect(judges).toHaveTextContent("1 of 4");
  const criteria = screen.getByRole("table", { name: "By criterion" });
  expect(within(criteria).getByRole("link", { name: "It rhymes" })).toHaveAttribute(
    "href",
    "/jobs?criterion=It+rhymes",
  );
  expect(screen.getByText(/All other criteria together: 5 passed, 1 failed/)).toBeVisible();
});

it("sorts by the column that the address names, and asks for what alone is wanted", async () => {
  const { asked } = await page({ agents: "-accepted", judge: "strict@3", criterion: "It rhymes", range: "90d" });
  const agents = await screen.findByRole("table", { name: "By agent" });
  const names = within(agents)
    .getAllByRole("rowheader")
    .map((cell) => cell.textContent);
  expect(names).toEqual(["ocronly", "writeronly"]);
  expect(Object.fromEntries(asked[0]?.searchParams ?? [])).toMatchObject({
    ...{ range: "90d", judge: "strict@3", of_criterion: "It rhymes" },
  });
  expect(within(screen.getByRole("list", { name: "Only" })).getByText("strict@3")).toBeVisible();
});

it("says that nothing was judged, and an error", async () => {
  await page({}, { ...QUALITY, totals: counts(0, 0), points: [] });
  expect(await screen.findByText("Nothing was judged in this range")).toBeVisible();
});

it("says why it cannot be read", async () => {
  on("get", "/api/quality", () => problem(400, "invalid_request", "must be a range"));
  on("get", "/api/agents", () => items());
  await renderPage(<QualityPage search={{}} />);
  expect(await screen.findByText("must be a range")).toBeVisible();
});

it("takes of an address what it understands", () => {
  expect(parseQualitySearch({ range: "2y", agent: "writer", judge: ["a"], agents: "-judged" })).toEqual({
    agent: "writer",
    agents: "-judged",
  });
  expect(parseQualitySearch({ range: "31d" })).toEqual({ range: "31d" });
});
