import { screen, within } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { anOverview } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem } from "@/testing/server";
import { DeadLettersPage } from "./DeadLettersPage";
import { OverviewPage } from "./OverviewPage";
import { parseOverviewSearch } from "./queries";
import { acceptance } from "./series";

beforeEach(() => {
  // A chart is as large as its box, which jsdom does not lay out.
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 400, 180));
});

it("takes a range that it knows from the address, and no other", () => {
  expect(parseOverviewSearch({ range: "24h" })).toEqual({ range: "24h" });
  expect(parseOverviewSearch({ range: "2y" })).toEqual({});
});

it("has no acceptance rate where nothing was judged", () => {
  const { totals } = anOverview();
  expect(acceptance(totals)).toBe(0.75);
  expect(acceptance({ ...totals, completed: 0, rejected: 0, resubmission_required: 0 })).toBeNull();
});

it("says what is now and what was, and every chart says it as numbers too", async () => {
  const asked = on("get", "/api/overview", () => json(anOverview()));
  await renderPage(<OverviewPage search={{ range: "6h" }} />);
  const now = await screen.findByRole("region", { name: "Now" });
  expect(now).toHaveTextContent("Queued12");
  expect(now).toHaveTextContent("1m 35s");
  expect(within(now).getByRole("link", { name: /2/ })).toHaveAttribute("href", "/dead-letters");
  expect(screen.getByRole("region", { name: "In this range" })).toHaveTextContent("75 %");
  const wait = await screen.findByRole("table", { name: "Wait over time" });
  expect(
    within(wait)
      .getAllByRole("cell")
      .map((cell) => cell.textContent),
  ).toEqual(["500 ms", "2.0 s", "nothing"]);
  expect(screen.getAllByRole("table")).toHaveLength(6);
  expect(screen.getByRole("link", { name: "6h: the last 6 hours" })).toHaveAttribute("aria-current", "true");
  expect(new URL(asked[0]?.url ?? "").searchParams.get("range")).toBe("6h");
});

it("says that nothing happened", async () => {
  on("get", "/api/overview", () => json(anOverview({ points: [] })));
  await renderPage(<OverviewPage search={{}} />);
  expect(await screen.findByText("Nothing happened in this range")).toBeVisible();
});

it("tells the server's own words, and asks again", async () => {
  on("get", "/api/overview", () => problem(403, "forbidden", "not with this token"));
  const { user } = await renderPage(<OverviewPage search={{}} />);
  expect(await screen.findByText("not with this token")).toBeVisible();
  on("get", "/api/overview", () => json(anOverview()));
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByRole("region", { name: "Now" })).toBeVisible();
});

const LETTER = {
  topic: "execute-requested.dlq",
  partition: 0,
  offset: 41,
  at: "2026-11-25T00:00:00Z",
  code: "schema_violation",
  message: "job_id: field required",
  source_topic: "execute-requested",
  source_offset: 7,
  key: "default/1",
};

it("lists dead letters with code, place and origin", async () => {
  on("get", "/api/dead-letters", () => json({ counts: { "execute-requested.dlq": 3, other: 0 }, items: [LETTER] }));
  await renderPage(<DeadLettersPage />);
  expect(await screen.findByText("schema_violation")).toBeVisible();
  expect(screen.getByText(/offset 41 · from execute-requested at 7 · key default\/1/)).toBeVisible();
  expect(screen.getByText("The latest 1 of 3 dead letters.")).toBeVisible();
  expect(screen.queryByText("other")).not.toBeInTheDocument();
});

it("says that there are none", async () => {
  on("get", "/api/dead-letters", () => json({ counts: {}, items: [] }));
  await renderPage(<DeadLettersPage />);
  expect(await screen.findByText("No dead letters")).toBeVisible();
});
