import { act, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { applyJobs } from "@/live/apply-changes";
import { UNSEEN_MAX, unseenJobs } from "@/live/unseen-jobs";
import { aChange, aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { serveJobs } from "@/testing/server";
import { JobsPage } from "./JobsPage";

const JOBS = ["Alpha", "Beta", "Gamma"].map((title) => aJob({ id: title.toLowerCase(), title }));
const page = (address = "/jobs") => renderPage((search) => <JobsPage search={search} />, { address });
const titles = () => screen.getAllByRole("link", { name: /Alpha|Beta|Gamma/ });

it("lets new jobs wait until they are asked for", async () => {
  const asked = serveJobs(JOBS);
  const { client, user } = await page();
  await screen.findByText("Alpha");
  act(() => applyJobs(client, new Map([["n", [aChange({ job_id: "n", version: 1, status: "PENDING" })]]])));
  const pill = await screen.findByRole("button", { name: "1 new job" });
  expect(titles()).toHaveLength(3);
  await user.click(pill);
  await waitFor(() => expect(asked.length).toBeGreaterThan(1));
  expect(screen.queryByRole("button", { name: "1 new job" })).not.toBeInTheDocument();
});

it("of new jobs, tells of those that match and would stand at the top, and keeps the selection", async () => {
  const asked = serveJobs(JOBS);
  const { client, user } = await page("/jobs?agent=writer");
  await screen.findByText("Alpha");
  await user.click(screen.getByRole("checkbox", { name: "Select Beta" }));
  const born = (id: string) =>
    act(() => applyJobs(client, new Map([[id, [aChange({ job_id: id, version: 1, status: "PENDING" })]]])));
  born("other");
  await waitFor(() => expect(asked).toHaveLength(2));
  expect(screen.queryByRole("button", { name: /new job/ })).not.toBeInTheDocument();
  serveJobs([aJob({ id: "n", title: "New" }), ...JOBS]);
  born("n");
  await user.click(await screen.findByRole("button", { name: "1 new job" }));
  expect(await screen.findByText("New")).toBeVisible();
  expect(screen.getByRole("checkbox", { name: "Select Beta" })).toBeChecked();
});

it("does not take what the list holds already for new, whatever it is sorted by", async () => {
  serveJobs(JOBS);
  const { client } = await page("/jobs?sort=updated");
  await screen.findByText("Alpha");
  const born = (id: string) => [id, [aChange({ job_id: id, version: 1, status: "PENDING" })]] as const;
  act(() => unseenJobs.add(["beta"]));
  expect(screen.queryByRole("button", { name: /new job/ })).not.toBeInTheDocument();
  act(() => applyJobs(client, new Map([born("n")])));
  expect(await screen.findByRole("button", { name: "1 new job" })).toBeVisible();
});

it("counts no further than it keeps", () => {
  unseenJobs.add(Array.from({ length: UNSEEN_MAX + 5 }, (_, number) => `job-${number}`));
  expect(unseenJobs.get().size).toBe(UNSEEN_MAX);
  unseenJobs.clear();
});
