import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aVerdict } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { VerdictStages } from "./VerdictStages";
import { describeAsks } from "./verdict";

const STAGED = aVerdict({
  judge: "strict@3",
  submission: 2,
  submissions: 3,
  stages: [
    { kind: "checks", outcomes: "-f" },
    {
      kind: "cascade",
      outcomes: "pf",
      asks: [
        {
          ...{ model: "small", role: "cheap", outcomes: "c-", cost_usd: "0.001" },
          ...{ input_tokens: 900, cached_tokens: 800, output_tokens: 100 },
        },
        { model: "large", role: "strong", outcomes: "p-", cost_usd: "0.02", latency_s: 2.5, request_id: "req-7" },
        { model: "odd", role: "vote", outcomes: undefined, refused: 3, last_refusal: "429" },
      ],
    },
  ],
});

it("says stage by stage who was asked, who said what, and what it cost, once it is opened", async () => {
  const { user } = await renderPage(<VerdictStages verdict={STAGED} />);
  const fold = screen.getByRole("group");
  expect(fold).not.toHaveAttribute("open");
  expect(screen.getByText("3 calls, 1,000 tokens, $0.0210, 2.5 s")).toBeVisible();
  await user.click(screen.getByText("How it was judged"));
  expect(fold).toHaveAttribute("open");
  expect(screen.getByText("Submission 2 of 3")).toBeVisible();
  expect(screen.getByRole("link", { name: "strict@3" })).toHaveAttribute("href", "/quality/judges/strict?version=3");
  const cheap = screen.getByText("was asked first").closest("li") as HTMLElement;
  const said = within(cheap).getByRole("list", { name: "What was answered, by criterion" });
  expect(
    within(said)
      .getAllByRole("listitem")
      .map(({ textContent }) => textContent),
  ).toEqual(["1Cannot be assessed", "2–Not asked"]);
  expect(within(cheap).getByText("800 of them cached")).toBeVisible();
  expect(screen.getByText("req-7")).toBeVisible();
  expect(screen.getByText("its answer was nonsense")).toBeVisible();
  expect(screen.getByText("3 refused before, last 429")).toBeVisible();
});

it("shows nothing of a verdict that does not say how it came about", async () => {
  await renderPage(<VerdictStages verdict={aVerdict()} />);
  expect(screen.queryByText("How it was judged")).not.toBeInTheDocument();
});

it("leaves out sums of which nothing is known", () => {
  expect(describeAsks([])).toBe("no model was asked");
  expect(describeAsks([{ model: "a" }])).toBe("1 call");
});
