import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { JobsPage } from "@/jobs/list/JobsPage";
import { aBatch, aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, onPost, serveJobs } from "@/testing/server";

it("removes of a selection what rests, and says what it keeps and refuses before", async () => {
  serveJobs([
    aJob({ id: "a", title: "Alpha" }),
    aJob({ id: "b", title: "Beta", status: "FAILED" }),
    aJob({ id: "c", title: "Gamma", status: "COMPLETED" }),
    aJob({ id: "d", title: "Delta", status: "IN_PROGRESS", live: true }),
  ]);
  onPost("/api/operations/preview", () => json({ total: 3, items_max: 10, counts: {}, sample: [], cost_of: 0 }));
  const asked = onPost("/api/operations", () => json(aBatch({ id: "made", kind: "remove" }), 201));
  const { user } = await renderPage((search) => <JobsPage search={search} />, { address: "/jobs" });
  await user.click(await screen.findByRole("checkbox", { name: "Select all that are shown" }));
  await user.click(screen.getByRole("button", { name: "More to do with them" }));
  await user.click(await screen.findByRole("menuitem", { name: "Remove" }));
  const dialog = await screen.findByRole("alertdialog", { name: "Remove 3 jobs?" });
  for (const text of [
    "the archive keeps what they were",
    "not archived yet is refused",
    "1 job of the selection cannot be",
  ])
    expect(dialog).toHaveTextContent(text);
  expect(dialog).not.toHaveTextContent("Estimated cost");
  await user.click(within(dialog).getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ kind: "remove", job_ids: ["a", "b", "c"] });
});
