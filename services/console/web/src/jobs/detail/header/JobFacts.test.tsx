import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { JobFacts } from "./JobFacts";

it("the head of a job says whose it is, when it begins and what it has cost", async () => {
  const job = aJob({
    agent_id: null,
    status: "PENDING",
    capabilities: ["ocr", "de"],
    tenant: "library",
    not_before: new Date(Date.now() + 90_000).toISOString(),
    spent_usd: 0.25,
    spent_tokens: 1_200,
    policy: { budget_usd: 2, budget_tokens: 5_000 },
  });
  await renderPage(<JobFacts job={job} />);
  for (const text of [
    "agent none yet, one is needed that has ocr, de",
    "for tenant library",
    "spent $0.25 of $2.00",
    "1,200 of 5,000 tokens",
  ])
    expect(screen.getByText((_, element) => element?.tagName === "SPAN" && element.textContent === text)).toBeVisible();
  expect(screen.getByText(/^begins at/)).toHaveTextContent(/\(in 1m/);
  expect(screen.getByText(/^created/)).toBeVisible();
});
