import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Operation } from "@/api/types";
import { aBatch } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on } from "@/testing/server";
import { BatchPage } from "./BatchPage";

it.each([
  [aBatch({ cost_usd: "1.25", expected_cost_usd: "3" }), "$1.25", "About $3.00 in all"],
  [aBatch({ cost_usd: "1.25" }), "$1.25", "so far"],
  [aBatch({ cost_usd: "1.25", state: "DONE" }), "$1.25", "in all"],
  [aBatch({ cost_usd: "0" }), "How dear–", "No cost is known."],
])("tells what a batch has cost, and is expected to: %#", async (batch, cost, note) => {
  on("get", "/api/operations/batch-1", () => json(batch));
  await renderPage(<BatchPage id="batch-1" />);
  const figures = await screen.findByRole("region", { name: "How it goes" });
  expect(figures).toHaveTextContent(cost);
  expect(figures).toHaveTextContent(note);
});

it("tells how much of what was judged was accepted", async () => {
  const counts = { COMPLETED: 3, REJECTED: 1, FAILED: 6 };
  on("get", "/api/operations/batch-1", () => json(aBatch({ counts, acceptance_rate: 0.75 })));
  await renderPage(<BatchPage id="batch-1" />);
  const figures = await screen.findByRole("region", { name: "How it goes" });
  expect(figures).toHaveTextContent("How good75 % accepted3 of 4 that were judged");
});

it("says who asked for which jobs, in a link that lists them", async () => {
  const filter = { statuses: ["FAILED"], labels: { team: "press" } } as unknown as Operation["filter"];
  on("get", "/api/operations/batch-1", () => json(aBatch({ actor: "token:eve", filter })));
  await renderPage(<BatchPage id="batch-1" />);
  expect(await screen.findByText("token:eve")).toBeVisible();
  const link = screen.getByRole("link", { name: "status FAILED, label team:press" });
  expect(link).toHaveAttribute("href", "/jobs?status=FAILED&label=team%3Apress");
});
