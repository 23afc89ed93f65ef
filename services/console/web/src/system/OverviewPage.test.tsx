import { screen, within } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import type { OverviewPoint } from "@/api/types";
import { anOverview } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem } from "@/testing/server";
import { Charts } from "./Charts";
import { DeadLettersPage } from "./DeadLettersPage";
import { OverviewPage } from "./OverviewPage";
import { parseOverviewSearch } from "./queries";
import { acceptanceRate } from "./series";

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
  expect(acceptanceRate(totals)).toBe(0.75);
  expect(acceptanceRate({ ...totals, completed: 0, rejected: 0, resubmission_required: 0 })).toBeNull();
});

it("says what is now and what was, and every chart says it as numbers too", async () => {
  const asked = on("get", "/api/overview", () => json(anOverview()));
  await renderPage(<OverviewPage search={{ range: "6h" }} />);
  const now = await screen.findByRole("region", { name: "Now" });
  expect(now).toHaveTextContent("Queued12");
  expect(now).toHaveTextContent("1m 35s");
  expect(within(now).getByRole("link", { name: /2/ })).toHaveAttribute("href", "/system/dead-letters");
  expect(screen.getByRole("region", { name: "In this range" })).toHaveTextContent("75 %");
  const wait = await screen.findByRole("table", { name: "Wait over time" });
  expect(
    within(wait)
      .getAllByRole("cell")
      .map((cell) => cell.textContent),
  ).toEqual(["500 ms", "2.0 s", "nothing"]);
  const cellsOf = (name: string) => within(screen.getByRole("table", { name })).getAllByRole("cell");
  expect(texts(cellsOf("Agent over time"))).toEqual(["300 ms", "nothing", "nothing"]);
  expect(texts(cellsOf("Judge over time"))).toEqual(["1.2 s", "nothing", "nothing"]);
  expect(screen.getAllByRole("table")).toHaveLength(9);
  expect(screen.getByRole("link", { name: "6h: the last 6 hours" })).toHaveAttribute("aria-current", "true");
  expect(new URL(asked[0]?.url ?? "").searchParams.get("range")).toBe("6h");
});

/** Points of the queue's depth, a minute apart; null where nobody looked. */
function depths(...queued: (number | null)[]): OverviewPoint[] {
  const [{ queued_max: _, ...point }] = anOverview().points as [OverviewPoint];
  return queued.map((number, minute) => ({
    ...point,
    at: `2026-11-25T00:0${minute}:00Z`,
    ...(number !== null && { queued_max: number }),
  }));
}

async function drawn(points: OverviewPoint[], ...titles: string[]) {
  await renderPage(<Charts points={points} range="1h" />);
  return titles.map((title) => screen.getByRole("table", { name: `${title} over time` }).closest("figure")!);
}

const dots = (figure: HTMLElement) => figure.querySelectorAll("circle[r]").length;
const texts = (items: HTMLElement[]) => items.map((item) => item.textContent);

it("draws how deep the queue was, and tells an empty queue from one that nobody looked at", async () => {
  const [figure] = (await drawn(depths(1_200, 0, null, 3, 4), "Queue depth")) as [HTMLElement];
  expect(texts(within(figure).getAllByRole("listitem"))).toEqual(["Queued", "Running", "Being judged"]);
  const rows = within(figure).getAllByRole("row").slice(1);
  expect(rows.map((row) => texts(within(row).getAllByRole("cell"))[0])).toEqual(["1,200", "0", "nothing", "3", "4"]);
  expect(figure.querySelector("svg path[d^=M]")?.getAttribute("d")?.match(/M/g)).toHaveLength(2);
});

it.each([
  { what: "one point", points: depths(7), expected: [1, 3, 2, 1, 1, 3] },
  { what: "a point between gaps", points: depths(1, 2, null, 7, null), expected: [0, 1, 0, 0, 0, 0] },
  { what: "none of several", points: depths(1, 2, 3), expected: [0, 0, 0, 0, 0, 0] },
])("shows a dot in every chart for what no line joins: $what", async ({ points, expected }) => {
  const figures = await drawn(points, "Acceptance rate", "Queue depth", "Wait", "Agent", "Judge", "Duration");
  expect(figures.map(dots)).toEqual(expected);
});

it("begins its charts where there is something to show, and says since when", async () => {
  const [point] = anOverview().points as [OverviewPoint];
  const zeros = { created: 0, completed: 0, failed: 0, rejected: 0, resubmission_required: 0, tokens: 0 };
  const gauges = { queued_max: 0, running_max: 0, judging_max: 0 };
  const empty = { ...point, ...zeros, ...gauges, cost_usd: "0", wait: {}, agent: {}, judge: {}, duration: {} };
  const points = [3, 4, 5, 6].map((minute) => ({
    ...(minute === 5 ? point : empty),
    at: `2026-11-25T00:0${minute}:00Z`,
  }));
  on("get", "/api/overview", () => json(anOverview({ points })));
  await renderPage(<OverviewPage search={{}} />);
  const created = await screen.findByRole("table", { name: "Created over time" });
  expect(texts(within(created).getAllByRole("cell"))).toEqual(["9", "0"]);
  expect(screen.getByText(/^Nothing happened in this range before/)).toBeVisible();
});

it("says of a chart without anything that there is nothing", async () => {
  const [created] = await drawn(
    depths(1, 2).map((point) => ({ ...point, judge: {} })),
    "Judge",
  );
  expect(created).toHaveTextContent("Nothing in this range.");
});

it("does not call free what nobody told the cost of", async () => {
  const { totals } = anOverview();
  on("get", "/api/overview", () => json(anOverview({ totals: { ...totals, cost_usd: "0", tokens: 900 } })));
  await renderPage(<OverviewPage search={{}} />);
  const range = await screen.findByRole("region", { name: "In this range" });
  expect(range).toHaveTextContent("Cost as claimed, 900 tokens–");
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
  expect(screen.queryByText(/Body/)).not.toBeInTheDocument();
});

it("shows up to where a letter stands for more records", async () => {
  const letter = { ...LETTER, repeats: 12, source_last_offset: 19 };
  on("get", "/api/dead-letters", () => json({ counts: { "execute-requested.dlq": 1 }, items: [letter] }));
  await renderPage(<DeadLettersPage />);
  expect(await screen.findByText(/from execute-requested at 7 to 19 /)).toBeVisible();
});

it("shows those that are done on wish, with by whom and why", async () => {
  const resolution = { outcome: "DISCARDED", actor: "administrator", reason: "of a test", at: LETTER.at };
  const asked = on("get", "/api/dead-letters", (request) => {
    const done = new URL(request.url).searchParams.get("include_done") === "true";
    return json({ counts: {}, items: done ? [{ ...LETTER, resolution }] : [] });
  });
  const { user } = await renderPage(<DeadLettersPage />);
  expect(await screen.findByText("No dead letters")).toBeVisible();
  await user.click(screen.getByRole("checkbox", { name: "Also those that were redriven or discarded" }));
  expect(await screen.findByText(/^discarded by administrator/)).toHaveTextContent("of a test");
  expect(asked.length).toBeGreaterThan(1);
});

it("shows how the body of a dead letter begins, as text", async () => {
  const letter = { ...LETTER, body: "<img src=x onerror=alert(1)> {", body_bytes: 9_000 };
  on("get", "/api/dead-letters", () => json({ counts: { "execute-requested.dlq": 1 }, items: [letter] }));
  const { user, container } = await renderPage(<DeadLettersPage />);
  await user.click(await screen.findByText("Body, 9,000 bytes; the first 4,096 are shown"));
  expect(screen.getByText("<img src=x onerror=alert(1)> {")).toBeVisible();
  expect(container.querySelector("img")).toBeNull();
});

it("says that there are none", async () => {
  on("get", "/api/dead-letters", () => json({ counts: {}, items: [] }));
  await renderPage(<DeadLettersPage />);
  expect(await screen.findByText("No dead letters")).toBeVisible();
});
