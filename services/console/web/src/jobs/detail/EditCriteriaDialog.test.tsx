import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem } from "@/testing/server";
import { JobMenu } from "./JobMenu";

async function opened() {
  const view = await renderPage(<JobMenu job={aJob({ version: 7 })} onDuplicate={() => undefined} />);
  await view.user.click(screen.getByRole("button", { name: "More" }));
  await view.user.click(screen.getByRole("menuitem", { name: "Edit the criteria" }));
  const save = () => screen.getByRole("button", { name: "Save" });
  return { ...view, save };
}

it("saves the criteria of the job as it was seen", async () => {
  const asked = on("patch", "/api/jobs/poem", () => json(aJob({ version: 8 })));
  const { user, save } = await opened();
  expect(save()).toHaveAttribute("aria-disabled", "true");
  await user.type(screen.getByLabelText("Criterion 1"), " well");
  await user.click(save());
  await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  expect(asked[0]?.headers.get("If-Match")).toBe('"7"');
  expect(await asked[0]?.json()).toEqual({ acceptance_criteria: "It rhymes well\noptional: it is short" });
});

it("says that the job has changed meanwhile, and goes on when told so", async () => {
  on("patch", "/api/jobs/poem", () => problem(412, "version_conflict", "the job is at version 9"));
  const { user, save } = await opened();
  await user.type(screen.getByLabelText("Criterion 1"), " well");
  await user.click(save());
  expect(await screen.findByText(/has changed meanwhile; nothing was saved/)).toBeVisible();
  expect(save()).toHaveAttribute("aria-disabled", "true");
  expect(screen.getByLabelText("Criterion 1")).toHaveValue("It rhymes well");
  await user.click(screen.getByRole("button", { name: "Go on" }));
  expect(save()).not.toHaveAttribute("aria-disabled");
});

it("says why a job that is being executed is not edited", async () => {
  on("patch", "/api/jobs/poem", () => problem(409, "execution_live", "an execution of the job is live"));
  const { user, save } = await opened();
  await user.click(screen.getByRole("button", { name: "Remove criterion 2" }));
  await user.click(save());
  expect(await screen.findByText("an execution of the job is live")).toBeVisible();
});

it("does not save a job without criteria", async () => {
  const { user, save } = await opened();
  await user.clear(screen.getByLabelText("Criterion 1"));
  await user.clear(screen.getByLabelText("Criterion 2"));
  expect(screen.getByText("It needs at least one criterion.")).toBeVisible();
  expect(save()).toHaveAttribute("aria-disabled", "true");
});
