import { act, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { recallSearch, rememberOpened } from "@/jobs/list/state/list-memory";
import { aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { serveJobs } from "@/testing/server";
import { JobsPage } from "./JobsPage";

const JOBS = ["Alpha", "Beta", "Gamma", "Delta"].map((title) => aJob({ id: title.toLowerCase(), title }));
const page = async (address = "/jobs") => {
  serveJobs(JOBS);
  const shown = await renderPage((search) => <JobsPage search={search} />, { address });
  await screen.findByText("Alpha");
  return shown;
};
const focused = (name: string) => waitFor(() => expect(screen.getByRole("link", { name })).toHaveFocus());
const box = (title: string) => screen.getByRole("checkbox", { name: `Select ${title}` });

it("j and k move the focus along the rows, x selects, and Enter opens as every link does", async () => {
  const { user, router } = await page();
  await user.keyboard("j");
  await focused("Alpha");
  await user.keyboard("j");
  await focused("Beta");
  await user.keyboard("x");
  await waitFor(() => expect(box("Beta")).toBeChecked());
  expect(screen.getByRole("link", { name: "Beta" }).closest("tr")).toHaveAttribute("aria-current", "true");
  await user.keyboard("{Enter}");
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/beta"));
});

it("what has the focus keeps its own keys, with a current row and without", async () => {
  const { user, router } = await page("/jobs?status=ASSIGNED");
  for (const hasCurrent of [false, true]) {
    if (hasCurrent) await user.keyboard("j");
    if (hasCurrent) await focused("Alpha");
    act(() => screen.getByRole("button", { name: /failed/ }).focus());
    await user.keyboard("{Enter}");
    await waitFor(() => expect(router.state.location.searchStr).toContain("FAILED"));
    await user.keyboard(" ");
    await waitFor(() => expect(router.state.location.searchStr).not.toContain("FAILED"));
  }
  expect(router.state.location.pathname).toBe("/jobs");
});

it("keys work from a row's checkbox, and Shift selects all between", async () => {
  const { user } = await page();
  await user.click(box("Alpha"));
  await user.keyboard("jj");
  await focused("Gamma");
  await user.keyboard("{Shift>}x{/Shift}");
  await waitFor(() => expect(box("Beta")).toBeChecked());
  expect(box("Gamma")).toBeChecked();
  expect(box("Delta")).not.toBeChecked();
  await user.keyboard("{Escape}");
  await waitFor(() => expect(box("Alpha")).not.toBeChecked());
  await user.click(box("Delta"));
  await user.keyboard("{Shift>}");
  await user.click(box("Beta"));
  await user.keyboard("{/Shift}");
  expect(box("Gamma")).toBeChecked();
  expect(box("Alpha")).not.toBeChecked();
});

it("is found again as it was left: filters, selection, and the focus on the job that was opened", async () => {
  const first = await page("/jobs?status=ASSIGNED");
  await first.user.click(box("Alpha"));
  await first.user.click(screen.getByRole("link", { name: "Beta" }));
  await screen.findByText("a job's page");
  act(() => rememberOpened("gamma"));
  expect(recallSearch()).toEqual({ status: ["ASSIGNED"] });
  await first.router.navigate({ to: "/jobs" as never, search: recallSearch() as never });
  await focused("Gamma");
  expect(box("Alpha")).toBeChecked();
});
