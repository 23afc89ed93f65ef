import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { Shell } from "@/app/shell/Shell";
import { aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem } from "@/testing/server";

const palette = async () => {
  const shown = await renderPage(<Shell />);
  await shown.user.keyboard("{Control>}k{/Control}");
  await screen.findByRole("dialog", { name: "Command palette" });
  return shown;
};

it("finds jobs by title or id, and Enter opens the first", async () => {
  const asked = on("get", "/api/jobs", () => json({ items: [aJob({ id: "moon-1", title: "Moon poem" })] }));
  const { user, router } = await palette();
  await user.keyboard("moo");
  expect(await screen.findByRole("option", { name: /Moon poem/ })).toHaveTextContent("Assigned");
  const query = new URL(asked.at(-1)?.url ?? "").searchParams;
  expect([query.get("text"), query.get("page_size")]).toEqual(["moo", "8"]);
  expect(asked).toHaveLength(1);
  await waitFor(() =>
    expect(screen.getByRole("option", { name: /Moon poem/ })).toHaveAttribute("aria-selected", "true"),
  );
  await user.keyboard("{Enter}");
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/moon-1"));
});

it("says that no job is called so, and why none could be found", async () => {
  on("get", "/api/jobs", (request) =>
    request.url.includes("zz") ? problem(503, "unavailable", "not now") : json({ items: [] }),
  );
  const { user } = await palette();
  await user.keyboard("yy");
  expect(await screen.findByText("No job has this in its title or id.")).toBeVisible();
  await user.keyboard("{Backspace}{Backspace}zz");
  expect(await screen.findByText("No jobs could be found: It cannot be answered now.")).toBeVisible();
});

it("shows the keys that do the same", async () => {
  await palette();
  expect(screen.getByRole("option", { name: "Batches" })).toHaveTextContent("Batchesg b");
  expect(screen.getByRole("option", { name: "Limits" })).toHaveTextContent(/^Limits$/);
});
