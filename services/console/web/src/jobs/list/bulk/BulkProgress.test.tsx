import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { JobsPage } from "@/jobs/list/JobsPage";
import { aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, onPost, problem, serveJobs } from "@/testing/server";

const JOBS = ["a", "b", "c", "d", "e"].map((id) => aJob({ id, title: `Job ${id}` }));

async function executing() {
  serveJobs(JOBS);
  const shown = await renderPage((search) => <JobsPage search={search} />);
  await screen.findByText("Job a");
  await shown.user.click(screen.getByRole("checkbox", { name: "Select all that are shown" }));
  const bar = screen.getByRole("region", { name: "Bulk actions" });
  await shown.user.click(within(bar).getByRole("button", { name: "Execute" }));
  const dialog = screen.getByRole("alertdialog", { name: "Execute 5 jobs?" });
  await shown.user.click(within(dialog).getByRole("button", { name: "Execute" }));
  return shown;
}

it("every refusal can be read, and leads to its job", async () => {
  on("post", "/api/jobs/:id/execute", () => problem(409, "execution_live", "an execution of the job is live"));
  const { user, router } = await executing();
  await screen.findByText(/5 of 5 asked, 5 refused/);
  await user.click(screen.getByText("2 more were refused"));
  const bar = screen.getByRole("region", { name: "Bulk actions" });
  expect(within(bar).getAllByText(/execution_live/)).toHaveLength(5);
  await user.click(within(bar).getByRole("link", { name: "Job e" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/e"));
});

it("is not left unasked while it runs, and asks for nothing more once it is left", async () => {
  const { promise, resolve: answer } = Promise.withResolvers<Response>();
  const asked = on("post", "/api/jobs/:id/execute", () => promise.then((response) => response.clone()));
  const { user, router } = await executing();
  await waitFor(() => expect(asked).toHaveLength(4));
  await user.click(screen.getByRole("link", { name: "New job" }));
  const dialog = await screen.findByRole("alertdialog", { name: "Leave before it is done?" });
  expect(router.state.location.pathname).toBe("/");
  await user.click(within(dialog).getByRole("button", { name: "Leave" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/new"));
  answer(json(aJob()));
  await promise;
  expect(asked).toHaveLength(4);
});

it("says why a button does nothing when it is pressed", async () => {
  serveJobs([aJob({ title: "Job a", status: "COMPLETED" })]);
  const asked = onPost("/api/jobs/:id/execute", () => json(aJob()));
  const { user } = await renderPage((search) => <JobsPage search={search} />);
  await user.click(await screen.findByRole("checkbox", { name: "Select Job a" }));
  const button = screen.getByRole("button", { name: "Execute" });
  expect(button).toHaveAccessibleDescription("A job that is completed cannot be executed.");
  await user.click(button);
  expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
  expect(asked).toHaveLength(0);
});
