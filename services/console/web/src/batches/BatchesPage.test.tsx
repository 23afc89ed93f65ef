import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { aBatch } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, problem } from "@/testing/server";
import { BatchesPage } from "./BatchesPage";

it("lists batches with what went wrong, and leads on to older ones", async () => {
  on("get", "/api/operations", (request) => {
    const isFirst = !new URL(request.url).searchParams.get("page_token");
    const batch = isFirst ? aBatch() : aBatch({ id: "older", total: 3, state: "DONE", counts: { COMPLETED: 3 } });
    return json({ items: [batch], next_page_token: isFirst ? "2" : null });
  });
  const { user } = await renderPage(<BatchesPage />);
  expect(await screen.findByText("1 failed, 1 refused")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Older batches" }));
  expect(await screen.findByRole("link", { name: /^Batch of 3 jobs/ })).toHaveAttribute("href", "/batches/older");
});

it("says that there are none, and that they could not be read", async () => {
  on("get", "/api/operations", () => items());
  const { unmount } = await renderPage(<BatchesPage />);
  expect(await screen.findByText("No batches yet")).toBeVisible();
  unmount();
  on("get", "/api/operations", () => problem(403, "forbidden", "not with this token"));
  await renderPage(<BatchesPage />);
  expect(await screen.findByText("not with this token")).toBeVisible();
});
