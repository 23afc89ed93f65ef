import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aHold, aKept } from "@/testing/kept";
import { renderPage } from "@/testing/render";
import { items, json, on } from "@/testing/server";
import { KeptPage } from "./KeptPage";

it("lists what is held, by whom and why, and releases it", async () => {
  on("get", "/api/kept", () => json(aKept()));
  on("get", "/api/retentions", () => items());
  on("get", "/api/holds", () => items(aHold()));
  const asked = on("delete", "/api/jobs/:id/hold", () => new Response(null, { status: 204 }));
  const { user } = await renderPage(<KeptPage />);
  const held = await screen.findByRole("region", { name: "Held" });
  expect(held).toHaveTextContent(/by token:eve .*: an audit/);
  expect(within(held).getByRole("link", { name: "poem" })).toHaveAttribute("href", "/jobs/poem");
  await user.click(within(held).getByRole("button", { name: "Release poem" }));
  on("get", "/api/holds", () => items());
  await user.click(
    within(screen.getByRole("alertdialog", { name: "Release this job?" })).getByRole("button", { name: "Release" }),
  );
  await waitFor(() => expect(held).not.toBeInTheDocument());
  expect(new URL(asked[0]?.url ?? "").pathname).toBe("/api/jobs/poem/hold");
});
