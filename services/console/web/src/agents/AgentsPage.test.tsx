import { render, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Agent } from "@/api/types";
import { aLimit, anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem } from "@/testing/server";
import { AgentHealth } from "./AgentHealth";
import { AgentsPage } from "./AgentsPage";
import { EXPLAINED } from "./protocols";

const HEALTHS: [string, Partial<Agent>][] = [
  ["Ready", {}],
  ["Circuit open", { circuit: "OPEN", circuit_open_until: "2026-11-25T00:00:30Z" }],
  ["Trying again", { circuit: "HALF_OPEN" }],
  ["Paused", { paused: true }],
  ["Disabled", { enabled: false, paused: true }],
];

it.each(HEALTHS)("%s is told in words", (word, fields) => {
  render(<AgentHealth agent={anAgent(fields)} />);
  expect(screen.getByText(word)).toBeVisible();
});

async function agentsPage({ agents = [anAgent()], isRegistering = false, successRate = 0.93 as number | null } = {}) {
  on("get", "/api/agents", () => items(...agents));
  const stats = { agent_id: "writer", running: 3, queued: 12, success_rate: successRate, mean_duration_s: 35.5 };
  Object.assign(stats, { mean_wait_s: 34, mean_agent_s: 0.3, mean_judge_s: 1.2 });
  on("get", "/api/agent-stats", () => items(stats));
  on("get", "/api/limits", () => items(aLimit()));
  return renderPage(<AgentsPage search={isRegistering ? { register: true } : {}} />);
}

it("shows how each is doing, and how much it may do", async () => {
  await agentsPage({ agents: [anAgent({ capabilities: ["ocr", "pdf"] }), anAgent({ id: "idle", name: "Idle" })] });
  const row = (await screen.findByRole("link", { name: "writer" })).closest("tr") as HTMLElement;
  for (const text of [
    "Ready",
    "3 of 4 running",
    "12 queued",
    "93 %",
    "300 ms",
    "waits 34 s",
    "judged in 1.2 s",
    "ocr",
    "pdf",
    "4 at once",
  ]) {
    expect(row).toHaveTextContent(text);
  }
  expect(screen.getByRole("link", { name: "Idle" }).closest("tr")).toHaveTextContent("Readyno calls in 24 h");
  expect(row).not.toHaveTextContent("no calls");
});

it("does not say of an agent with its first work that it was not called", async () => {
  await agentsPage({ successRate: null });
  const row = (await screen.findByRole("link", { name: "writer" })).closest("tr") as HTMLElement;
  expect(row).toHaveTextContent("3 of 4 running");
  expect(row).not.toHaveTextContent("no calls");
});

it("does without what the console does not tell yet", async () => {
  on("get", "/api/agent-stats", () => problem(404, "unknown_agent", "no"));
  on("get", "/api/limits", () => problem(404, "not_found", "no"));
  await renderPage(<AgentsPage />);
  expect(await screen.findByRole("link", { name: "writer" })).toBeVisible();
});

it("pauses at once, resumes what is paused, and says why it could not", async () => {
  onPost("/api/agents/writer/pause", () => problem(409, "conflict", "not now"));
  const asked = onPost("/api/agents/idle/resume", () => json(anAgent({ id: "idle" })));
  const { user } = await agentsPage({ agents: [anAgent(), anAgent({ id: "idle", name: "idle", paused: true })] });
  await user.click(await screen.findByRole("button", { name: "Pause writer" }));
  expect(await screen.findByText("not now")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Resume idle" }));
  await waitFor(() => expect(asked).toHaveLength(1));
});

it("disables once it is confirmed", async () => {
  const asked = onPost("/api/agents/writer/disable", () => json(anAgent({ enabled: false })));
  const { user } = await agentsPage();
  await user.click(await screen.findByRole("button", { name: "More for writer" }));
  await user.click(screen.getByRole("menuitem", { name: "Disable…" }));
  const dialog = screen.getByRole("alertdialog", { name: "Disable writer?" });
  expect(asked).toHaveLength(0);
  await user.click(within(dialog).getByRole("button", { name: "Disable" }));
  await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
  expect(asked).toHaveLength(1);
});

it("registers an agent; what the server does not take stands at its field", async () => {
  const errors = [{ pointer: "#/url", message: "it must begin with http" }];
  let answer = problem(422, "invalid_request", "the request is not valid", errors);
  const asked = onPost("/api/agents", () => answer);
  const { user, router } = await agentsPage({ isRegistering: true });
  const dialog = await screen.findByRole("dialog", { name: "Register an agent" });
  await user.click(within(dialog).getByRole("button", { name: "Register" }));
  expect(within(dialog).getByText("It needs a name.")).toBeVisible();
  expect(asked).toHaveLength(0);
  await user.type(within(dialog).getByLabelText("Name"), "Reader");
  await user.type(within(dialog).getByLabelText("Address"), "nowhere");
  await user.type(within(dialog).getByLabelText("Capabilities"), "ocr{Enter}pdf{Enter}ocr");
  await user.click(within(dialog).getByRole("button", { name: "Register" }));
  await waitFor(() =>
    expect(within(dialog).getByLabelText("Address")).toHaveAccessibleDescription("it must begin with http"),
  );
  expect(within(dialog).getByLabelText("Address")).toHaveFocus();
  answer = json(anAgent({ id: "reader" }), 201);
  await user.click(within(dialog).getByRole("button", { name: "Register" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/agents"));
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  expect(await asked.at(-1)?.json()).toMatchObject({ name: "Reader", capabilities: ["ocr", "pdf"], protocol: "http" });
});

it("an edit sends what was changed and nothing else, for the agent as it was seen", async () => {
  const asked = on("patch", "/api/agents/writer", () => json(anAgent()));
  const { user } = await agentsPage({ agents: [anAgent({ policy: { max_calls: 3 }, deterministic: true })] });
  await user.click(await screen.findByRole("button", { name: "More for writer" }));
  await user.click(screen.getByRole("menuitem", { name: "Edit" }));
  await user.type(screen.getByLabelText("Name"), " two");
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(asked[0]?.headers.get("If-Match")).toBe('"1"');
  expect(await asked[0]?.json()).toEqual({ name: "writer two" });
});

it("changes the policy of an agent field by field", async () => {
  const asked = on("patch", "/api/agents/writer", () => json(anAgent()));
  const { user } = await agentsPage({ agents: [anAgent({ policy: { max_calls: 3, budget_usd: "2" } })] });
  await user.click(await screen.findByRole("button", { name: "More for writer" }));
  await user.click(screen.getByRole("menuitem", { name: "Edit" }));
  await user.click(screen.getByText("Policy"));
  expect(screen.getByLabelText("Calls of the agent")).toHaveValue(3);
  await user.clear(screen.getByLabelText("Budget, in dollars"));
  await user.type(screen.getByLabelText("Deadline, in seconds"), "90");
  await user.selectOptions(screen.getByLabelText("Resubmission"), "Automatic, with the feedback");
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ policy: { budget_usd: null, deadline_s: 90, resubmit: "automatic" } });
});

it("shows where the values of headers are found, and saves what is changed of it", async () => {
  const asked = on("patch", "/api/agents/writer", () => json(anAgent()));
  const headers = { Authorization: "env:SIGNOFF_AGENT_WRITER", "X-Key": "file:a=b" };
  const { user } = await agentsPage({ agents: [anAgent({ headers, url: "https://***@agent.example/" })] });
  await user.click(await screen.findByRole("button", { name: "More for writer" }));
  await user.click(screen.getByRole("menuitem", { name: "Edit" }));
  const field = screen.getByLabelText("Headers");
  expect(field).toHaveValue("Authorization=env:SIGNOFF_AGENT_WRITER\nX-Key=file:a=b");
  await user.type(field, "{Enter}X-New");
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(field).toHaveAccessibleDescription(/Write one per line/));
  expect(asked).toHaveLength(0);
  await user.type(field, "=env:SIGNOFF_AGENT_NEW{Enter}{Enter}");
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ headers: { "X-New": "env:SIGNOFF_AGENT_NEW" } });
});

it("sets the limits of an agent from its row", async () => {
  const asked = on("patch", "/api/limits/:name", () => json(aLimit()));
  const { user } = await agentsPage();
  await user.click(await screen.findByTitle("Change its limits"));
  const dialog = screen.getByRole("dialog", { name: "Limits of agent:writer" });
  await user.clear(within(dialog).getByLabelText("Executions at once"));
  await user.type(within(dialog).getByLabelText("Begun in each period"), "5");
  await user.click(within(dialog).getByRole("button", { name: "Set" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(new URL(asked[0]?.url ?? "").pathname).toBe("/api/limits/agent%3Awriter");
  expect(await asked[0]?.json()).toEqual({ concurrency: null, rate: 5 });
  expect(asked[0]?.headers.get("If-Match")).toBe('"1"');
});

it("promises no protocol that agents cannot be called by", async () => {
  on("get", "/api/agents", () => items());
  const { user } = await renderPage(<AgentsPage />);
  expect(await screen.findByText(/An agent does the work/)).toHaveTextContent(
    /model .* LangGraph .* A2A .* or a service/,
  );
  await user.click(screen.getByRole("button", { name: "Register an agent" }));
  const choices = within(await screen.findByLabelText("Protocol")).getAllByRole("option");
  expect(choices.map((choice) => choice.getAttribute("value"))).toEqual(Object.keys(EXPLAINED));
});

it("shows how an agent is called in words, with its model", async () => {
  const settings = { model: "gpt-5" };
  await agentsPage({ agents: [anAgent({ protocol: "openai", settings }), anAgent({ id: "b", protocol: "later" })] });
  const [asked, later] = (await screen.findAllByRole("link", { name: "writer" })).map((link) => link.closest("tr"));
  expect(asked).toHaveTextContent("OpenAI's API · gpt-5");
  expect(later).toHaveTextContent("later");
});
