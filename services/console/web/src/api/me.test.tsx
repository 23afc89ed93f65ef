import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { LimitsPage } from "@/limits/LimitsPage";
import { aMe, aViewer } from "@/testing/callers";
import { aLimit } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, problem } from "@/testing/server";

it("a button that one may not use stays in its place, and says which role it needs", async () => {
  on("get", "/api/me", () => json(aViewer()));
  on("get", "/api/limits", () => items(aLimit()));
  const { user } = await renderPage(<LimitsPage />);
  const set = await screen.findByRole("button", { name: "Set a limit" });
  await waitFor(() => expect(set).toHaveAttribute("aria-disabled", "true"));
  expect(set).toHaveAccessibleDescription("It needs the role administrator; you are viewer of press.");
  const change = screen.getByRole("button", { name: "Change agent:writer" });
  expect(change).toHaveAttribute("title", "It needs the role administrator; you are viewer of press.");
  await user.click(set);
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
});

it("hides nothing that one may do", async () => {
  on("get", "/api/me", () => json(aMe({ role: "operator", may: ["set_limit"] })));
  on("get", "/api/limits", () => items(aLimit()));
  const { user } = await renderPage(<LimitsPage />);
  const change = await screen.findByRole("button", { name: "Change agent:writer" });
  await waitFor(() => expect(change).toHaveAttribute("aria-disabled", "true"));
  await user.click(screen.getByRole("button", { name: "Set a limit" }));
  expect(screen.getByRole("dialog")).toBeVisible();
});

it("refuses nothing by itself while it is not known who one is", async () => {
  on("get", "/api/me", () => problem(403, "forbidden", "no"));
  on("get", "/api/limits", () => items(aLimit()));
  const { user } = await renderPage(<LimitsPage />);
  await user.click(await screen.findByRole("button", { name: "Set a limit" }));
  expect(screen.getByRole("dialog")).toBeVisible();
});
