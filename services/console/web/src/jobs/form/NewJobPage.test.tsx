import { createBrowserHistory, type RouterHistory } from "@tanstack/react-router";
import { screen, waitFor, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { aJob, anExecution } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, onPost, problem, serveJob } from "@/testing/server";
import { NewJobPage } from "./NewJobPage";

// jsdom lays no text out, which the editor needs: here the payload is typed into a plain field.
vi.mock("@/jobs/form/fields/JsonEditor", () => ({
  default: ({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) => (
    <textarea aria-label={label} value={value} onChange={(event) => onChange(event.target.value)} />
  ),
}));

async function form(from?: string, history?: RouterHistory) {
  const view = await renderPage(<NewJobPage from={from} />, { history });
  await screen.findByLabelText("Payload");
  const press = (name: string) => view.user.click(screen.getByRole("button", { name }));
  return { ...view, press };
}

async function filled() {
  const view = await form();
  await view.user.type(screen.getByLabelText("Title"), "A poem");
  await view.user.type(screen.getByLabelText("Criterion 1"), "It rhymes");
  await screen.findByRole("option", { name: "writer" });
  await view.user.selectOptions(screen.getByLabelText("Agent"), "writer");
  return view;
}

it("says what is missing before it asks", async () => {
  const asked = onPost("/api/jobs", () => json(aJob(), 201));
  const { user, press } = await form();
  await press("Create");
  expect(await screen.findByText("It needs a title.")).toBeVisible();
  expect(screen.getByText("It needs at least one criterion.")).toBeVisible();
  expect(screen.getByLabelText("Title")).toHaveFocus();
  await user.keyboard("A poem");
  await press("Create");
  await waitFor(() => expect(screen.getByLabelText("Criterion 1")).toHaveFocus());
  expect(asked).toHaveLength(0);
});

it("creates a job, and leads to it", async () => {
  const asked = onPost("/api/jobs", () => json(aJob(), 201));
  const { user, router, press } = await filled();
  await user.click(screen.getByRole("button", { name: "Add a label" }));
  await user.type(screen.getByLabelText("Name of label 1"), "team");
  await user.type(screen.getByLabelText("Value of label 1"), "a");
  await press("Create");
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/poem"));
  expect(await asked[0]?.json()).toMatchObject({
    title: "A poem",
    acceptance_criteria: "It rhymes",
    agent_id: "writer",
    labels: { team: "a" },
    policy: {},
  });
});

it("creates and executes", async () => {
  onPost("/api/jobs", () => json(aJob(), 201));
  const executed = onPost("/api/jobs/poem/execute", () => json(anExecution(), 201));
  serveJob(aJob({ version: 2 }));
  const { router, press } = await filled();
  await press("Create and execute");
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/poem"));
  expect(executed).toHaveLength(1);
});

it("a job that was created but not executed is there all the same", async () => {
  onPost("/api/jobs", () => json(aJob(), 201));
  onPost("/api/jobs/poem/execute", () => problem(409, "agent_disabled", "writer is disabled"));
  const { router, press } = await filled();
  await press("Create and execute");
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/poem"));
});

it("nobody's job can be created, and not executed", async () => {
  const { user } = await form();
  await user.click(screen.getByRole("radio", { name: "None yet" }));
  expect(screen.getByRole("button", { name: "Create and execute" })).toHaveAttribute("aria-disabled", "true");
  expect(screen.queryByLabelText("Agent")).not.toBeInTheDocument();
  await user.click(screen.getByRole("radio", { name: "Any agent that can do it" }));
  expect(screen.getByLabelText("Capabilities")).toBeVisible();
});

it("what the server does not take stands at its field, also where that is folded", async () => {
  const errors = [
    { pointer: "#/policy/max_calls", message: "at most 100" },
    { pointer: "#/labels/team", message: "too long" },
  ];
  onPost("/api/jobs", () => problem(422, "invalid_request", "the request is not valid", errors));
  const { user, press } = await filled();
  await press("Create");
  await waitFor(() => expect(screen.getByLabelText("Calls of the agent")).toBeInvalid());
  expect(screen.getByLabelText("Calls of the agent").closest("details")).toHaveAttribute("open");
  expect(screen.getByText("too long")).toBeVisible();
  await user.type(screen.getByLabelText("Calls of the agent"), "9");
  await waitFor(() => expect(screen.getByLabelText("Calls of the agent")).toBeValid());
  expect(screen.getByLabelText("Calls of the agent").closest("details")).toHaveAttribute("open");
  expect(screen.getByText("See the messages beside the fields.")).toBeVisible();
});

it("what belongs to no field is told in the server's own words", async () => {
  onPost("/api/jobs", () => problem(409, "job_exists", "a job with this id exists"));
  const { press } = await filled();
  await press("Create");
  const alert = await screen.findByRole("alert");
  expect(within(alert).getByText("a job with this id exists")).toBeVisible();
});

it("a payload that is no JSON is not sent", async () => {
  const asked = onPost("/api/jobs", () => json(aJob(), 201));
  const { user, press } = await filled();
  await user.type(screen.getByLabelText("Payload"), "{{1");
  expect(screen.getByText(/^This is not JSON/)).toBeVisible();
  await press("Create");
  expect(asked).toHaveLength(0);
});

const toJob = { to: "/jobs/$id" as never, params: { id: "poem" } as never };

it("asks before an unfinished form is left, and stays or goes as it is told", async () => {
  const { user, router } = await filled();
  const asked = () => screen.findByRole("alertdialog", { name: "Leave without saving?" });
  void router.navigate(toJob);
  await user.click(within(await asked()).getByRole("button", { name: "Back" }));
  expect(screen.getByLabelText("Title")).toHaveValue("A poem");
  expect(router.state.location.pathname).toBe("/");
  void router.navigate(toJob);
  await user.click(within(await asked()).getByRole("button", { name: "Leave" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/poem"));
});

const isHeldBack = () => !window.dispatchEvent(new Event("beforeunload", { cancelable: true }));

it("holds back the closing of its window while it is unfinished, and never asks about nothing", async () => {
  const history = createBrowserHistory();
  const { user, router } = await form(undefined, history);
  expect(isHeldBack()).toBe(false);
  await user.type(screen.getByLabelText("Title"), "A");
  expect(isHeldBack()).toBe(true);
  await user.clear(screen.getByLabelText("Title"));
  expect(isHeldBack()).toBe(false);
  await router.navigate(toJob);
  expect(router.state.location.pathname).toBe("/jobs/poem");
  history.destroy();
});

it("a duplicate begins with what the other has", async () => {
  serveJob(aJob({ payload: { a: 1 } }));
  await form("poem");
  expect(screen.getByLabelText("Title")).toHaveValue("A poem");
  expect(screen.getByLabelText("Criterion 2")).toHaveValue("it is short");
  expect(screen.getByRole("checkbox", { name: "Criterion 2 is optional" })).toBeChecked();
  await screen.findByRole("option", { name: "ocr" });
  expect(screen.getByLabelText("Agent")).toHaveValue("writer");
});

it("begins with the focus in the title", async () => {
  await renderPage(<NewJobPage />);
  expect(await screen.findByLabelText("Title")).toHaveFocus();
});

it.each([
  ["tenant_needed", "name one of press, sport"],
  ["unknown_tenant", "no tenant has the name default"],
])("says %s at the tenant, also where the server names no field", async (code, detail) => {
  onPost("/api/jobs", () => problem(422, code, detail));
  const { press } = await filled();
  await press("Create");
  await waitFor(() => expect(screen.getByLabelText("Tenant")).toHaveAccessibleDescription(detail));
});
