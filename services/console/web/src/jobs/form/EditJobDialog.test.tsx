import { screen, waitFor, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { jobKeys } from "@/api/query-keys";
import type { Job } from "@/api/types";
import { JobPage } from "@/jobs/detail/JobPage";
import { aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem, serveJob } from "@/testing/server";
import { shownToasts } from "@/ui/feedback/toast";

// jsdom lays no text out, which the editor needs: here the payload is typed into a plain field.
vi.mock("@/jobs/form/fields/JsonEditor", () => ({
  default: ({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) => (
    <textarea aria-label={label} value={value} onChange={(event) => onChange(event.target.value)} />
  ),
}));

const JOB = aJob({ version: 7, status: "FAILED", payload: { a: 1 }, labels: { team: "a" } });

async function opened(by: "Edit" | "Edit criteria" = "Edit", job: Job = JOB) {
  serveJob(job);
  const view = await renderPage(<JobPage id="poem" />);
  const { user } = view;
  await user.click(await screen.findByRole("button", { name: /^More for/ }));
  await user.click(screen.getByRole("menuitem", { name: by }));
  const dialog = await screen.findByRole("dialog", { name: "Edit the job" });
  const save = () => within(dialog).getByRole("button", { name: "Save" });
  const type = async (label: string, text: string) => user.type(within(dialog).getByLabelText(label), text);
  return { ...view, dialog, save, type };
}

const gone = () => waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());

it("sends what was changed and nothing else, for the job as it was seen", async () => {
  const asked = on("patch", "/api/jobs/poem", () => json({ ...JOB, version: 8 }));
  const { user, save, type, dialog } = await opened();
  expect(save()).toHaveAttribute("aria-disabled", "true");
  await type("Title", " of June");
  await user.clear(await within(dialog).findByLabelText("Payload"));
  await user.click(save());
  await gone();
  expect(asked[0]?.headers.get("If-Match")).toBe('"7"');
  expect(await asked[0]?.json()).toEqual({ title: "A poem of June", payload: null });
});

it("leads to the criteria", async () => {
  const asked = on("patch", "/api/jobs/poem", () => json({ ...JOB, version: 8 }));
  const { user, save } = await opened("Edit criteria");
  expect(screen.getByLabelText("Criterion 1")).toHaveFocus();
  await user.keyboard(" well");
  await user.click(save());
  await gone();
  expect(await asked[0]?.json()).toEqual({ acceptance_criteria: "It rhymes well\noptional: it is short" });
});

it("says that the job has changed meanwhile, and goes on with what was changed here", async () => {
  const asked = on("patch", "/api/jobs/poem", () => problem(412, "version_conflict", "the job is at version 9"));
  const { user, save, type, dialog } = await opened();
  await type("Title", "!");
  const criteria = { acceptance_criteria: "It rhymes", criteria: JOB.criteria?.slice(0, 1) };
  serveJob({ ...JOB, version: 9, title: "An ode", description: "to June", ...criteria });
  await user.click(save());
  const alert = await within(dialog).findByRole("alert");
  expect(alert).toHaveTextContent("has changed meanwhile; nothing was saved");
  expect(alert).toHaveTextContent("Changed elsewhere too: title. Going on replaces this with your change:An ode");
  expect(alert).toHaveTextContent("Changed elsewhere: description, criteria. Going on keeps that");
  expect(save()).toHaveAttribute("aria-disabled", "true");
  on("patch", "/api/jobs/poem", (request) => {
    asked.push(request.clone());
    return json({ ...JOB, version: 10 });
  });
  await user.click(within(alert).getByRole("button", { name: "Go on" }));
  expect(within(dialog).getByLabelText("Title")).toHaveValue("A poem!");
  expect(within(dialog).getByLabelText("Description")).toHaveValue("to June");
  expect(within(dialog).queryByLabelText("Criterion 2")).not.toBeInTheDocument();
  await user.click(save());
  await gone();
  expect(asked[1]?.headers.get("If-Match")).toBe('"9"');
  expect(await asked[1]?.json()).toEqual({ title: "A poem!" });
});

it("says what might be meant otherwise in the criteria that were saved", async () => {
  const warnings = [{ code: "criterion_reads_as_absence", criterion: 0, message: "criterion 1 reads as if" }];
  on("patch", "/api/jobs/poem", () => json({ ...JOB, version: 8, warnings }));
  const { user, save } = await opened("Edit criteria");
  await user.keyboard(", not more");
  await user.click(save());
  await gone();
  expect(shownToasts.get()).toMatchObject([{ title: "Saved as it is", detail: "criterion 1 reads as if" }]);
});

it("says at its field what the server does not take, and else in its words", async () => {
  const errors = [
    { pointer: "#/labels/team", message: "too long" },
    { pointer: "#/acceptance_criteria", message: "criterion 2 is reserved" },
  ];
  on("patch", "/api/jobs/poem", () => problem(422, "invalid_request", "the request is not valid", errors));
  const { user, save, type, dialog } = await opened();
  await type("Value of label 1", "b");
  await user.click(save());
  expect(await within(dialog).findByText("too long")).toBeVisible();
  expect(within(dialog).getByText("criterion 2 is reserved")).toBeVisible();
  on("patch", "/api/jobs/poem", () => problem(409, "execution_live", "an execution of the job is live"));
  await user.click(save());
  expect(await within(dialog).findByText("an execution of the job is live")).toBeVisible();
});

it("does not save a job without a title or criteria", async () => {
  const asked = on("patch", "/api/jobs/poem", () => json(JOB));
  const { user, save, dialog } = await opened();
  for (const label of ["Title", "Criterion 1", "Criterion 2"]) await user.clear(within(dialog).getByLabelText(label));
  await user.click(save());
  expect(await within(dialog).findByText("It needs at least one criterion.")).toBeVisible();
  expect(within(dialog).getByText("It needs a title.")).toBeVisible();
  expect(asked).toHaveLength(0);
});

it("asks before what was changed is lost, and not where nothing was", async () => {
  const { user, type, dialog } = await opened();
  await type("Title", "!");
  await user.keyboard("{Escape}");
  const warning = () => screen.findByRole("alertdialog", { name: "Leave without saving?" });
  await user.click(within(await warning()).getByRole("button", { name: "Back" }));
  expect(within(dialog).getByLabelText("Title")).toHaveValue("A poem!");
  await user.click(within(dialog).getByRole("button", { name: "Back" }));
  await user.click(within(await warning()).getByRole("button", { name: "Leave" }));
  await gone();
  await user.click(screen.getByRole("button", { name: /^More for/ }));
  await user.click(screen.getByRole("menuitem", { name: "Edit" }));
  await screen.findByRole("dialog");
  await user.keyboard("{Escape}");
  await gone();
});

it.each([
  [{ status: "COMPLETED" }, "can be duplicated"],
  [{ status: "IN_PROGRESS" }, "edited afterwards"],
  [{ status: "ASSIGNED", live: true }, "edited afterwards"],
] as [Partial<Job>, string][])("a job that is %j is not edited, which says why", async (fields, words) => {
  serveJob({ ...JOB, ...fields });
  const { user } = await renderPage(<JobPage id="poem" />);
  await user.click(await screen.findByRole("button", { name: /^More for/ }));
  expect(screen.getByRole("menuitem", { name: "Edit criteria" })).toHaveAttribute("aria-disabled", "true");
  const edit = screen.getByRole("menuitem", { name: "Edit" });
  expect(edit).toHaveAttribute("title", expect.stringContaining(words));
  await user.click(edit);
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
});

it("a job that begins to be executed is not saved any more", async () => {
  const { client, type, save, dialog } = await opened();
  await type("Title", "!");
  client.setQueryData(jobKeys.detail("poem"), { ...JOB, version: 8, status: "IN_PROGRESS" });
  expect(await within(dialog).findByText(/edited afterwards/)).toBeVisible();
  expect(save()).toHaveAttribute("aria-disabled", "true");
});

it("sends of labels and of the policy what was changed alone, and null for what was taken away", async () => {
  const asked = on("patch", "/api/jobs/poem", () => json({ ...JOB, version: 8 }));
  const { user, save, dialog } = await opened();
  const [name] = Object.keys(JOB.labels ?? {});
  await user.clear(within(dialog).getByLabelText("Name of label 1"));
  await user.type(within(dialog).getByLabelText("Name of label 1"), "kind");
  await user.click(within(dialog).getByText("Policy"));
  await user.type(within(dialog).getByLabelText("Calls of the agent"), "7");
  await user.click(save());
  await gone();
  const labels = { [name ?? ""]: null, kind: JOB.labels?.[name ?? ""] };
  expect(await asked[0]?.json()).toEqual({ labels, policy: { max_calls: 7 } });
});
