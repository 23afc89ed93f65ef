import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Agent, AgentStats } from "@/api/types";
import { aJob, aLimit, anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem } from "@/testing/server";
import { AgentPage } from "./AgentPage";
import { idle } from "./queries";

const REFUSED: Partial<AgentStats> = {
  ended: 534,
  completed: 0,
  refused: 530,
  success_rate: 0,
  cost_usd: "5.34",
  mean_cost_usd: "0.01",
  wait: { p50: 1, p95: 4 },
  agent: { p50: 30, p95: 90 },
  failures: { agent_timeout: 4 },
  refusals: { "It is short": 12, "It rhymes": 518 },
};

async function agentPage({ agent = {}, stats }: { agent?: Partial<Agent>; stats?: Partial<AgentStats> } = {}) {
  on("get", "/api/agents/writer", () => json(anAgent(agent)));
  on("get", "/api/agent-stats", () => (stats ? items({ ...idle("writer"), ...stats }) : items()));
  on("get", "/api/limits", () => items(aLimit()));
  on("get", "/api/jobs", () => items(aJob()));
  const page = await renderPage(<AgentPage id="writer" />);
  await screen.findByRole("heading", { name: "writer" });
  return page;
}

it("is no green Ready where nothing was accepted, and says why", async () => {
  await agentPage({ stats: REFUSED });
  expect(await screen.findByText("Not accepted", { selector: "span[title]" })).toBeVisible();
  expect(screen.queryByText("Ready")).not.toBeInTheDocument();
  expect(
    await screen.findByText(
      /^0 of 534 accepted in the last 24 hours; 530 not accepted, 4 failed; .*It rhymes.* \(518\)/,
    ),
  ).toBeVisible();
});

it("shows what was accepted, what it costs, how long each step takes, and why work came to nothing", async () => {
  await agentPage({ stats: { ...REFUSED, running: 3, queued: 7 } });
  const figures = await screen.findByRole("region", { name: "The last 24 hours" });
  expect(figures).toHaveTextContent("Cost a job$0.01");
  expect(within(figures).getByRole("row", { name: "Call 30 s 1m 30s" })).toBeVisible();
  expect(within(figures).getByRole("row", { name: "Judging – –" })).toBeVisible();
  expect(screen.getByRole("region", { name: "Failed, by code" })).toHaveTextContent("agent_timeout4");
  const refusals = within(screen.getByRole("region", { name: "Not accepted, by criterion" })).getAllByRole("link");
  expect(refusals.map((each) => each.textContent)).toEqual(["It rhymes", "It is short"]);
  const actions = screen.getByRole("heading", { name: "writer" }).closest("header") as HTMLElement;
  await waitFor(() => expect(actions).toHaveTextContent("Calls now 3 of 4"));
  expect(actions).toHaveTextContent("Waiting 7");
});

const REMEDIES: [string, Partial<Agent>, string][] = [
  ["Resume agent", { paused: true }, "/api/agents/writer/resume"],
  ["Enable agent", { enabled: false }, "/api/agents/writer"],
  ["Close circuit", { circuit: "OPEN", circuit_open_until: "2030-01-01T00:00:00Z" }, "/api/agents/writer"],
];

it.each(REMEDIES)("has the button %s where that is the likely step", async (name, agent, path) => {
  const asked = [onPost(path, () => json(anAgent())), on("patch", path, () => json(anAgent()))];
  const { user } = await agentPage({ agent });
  await user.click(screen.getByRole("button", { name }));
  await waitFor(() => expect(asked.flat()).toHaveLength(1));
});

it("says why something is impossible, in the menu", async () => {
  const { user } = await agentPage();
  await user.click(screen.getByRole("button", { name: "More for writer" }));
  const item = screen.getByRole("menuitem", { name: "Close circuit" });
  expect(item).toHaveAttribute("title", "Its circuit is closed.");
  expect(screen.getByRole("menuitem", { name: "Pause agent" })).not.toHaveAttribute("aria-disabled");
});

it("says what an action met, and opens what the list opens", async () => {
  onPost("/api/agents/writer/pause", () => problem(409, "conflict", "not now"));
  const { user } = await agentPage({ agent: { policy: { max_calls: 3, resubmit: "automatic" } } });
  await user.click(screen.getByRole("button", { name: "More for writer" }));
  await user.click(screen.getByRole("menuitem", { name: "Pause agent" }));
  expect(await screen.findByText("not now")).toBeVisible();
  const bounds = screen.getByRole("region", { name: "Limits and policy" });
  await waitFor(() => expect(bounds).toHaveTextContent("4 at once"));
  expect(bounds).toHaveTextContent("Calls of the agent3ResubmissionAutomatic, with the feedback");
  await user.click(within(bounds).getByRole("button", { name: "Change its policy" }));
  expect(await screen.findByRole("dialog", { name: "Edit writer" })).toBeVisible();
});

it("tells when its circuit opened and closed", async () => {
  await agentPage({
    stats: {
      circuit_changes: [
        { at: "2026-11-24T10:00:05Z", circuit: "CLOSED" },
        { at: "2026-11-24T10:00:00Z", circuit: "OPEN", open_until: "2026-11-24T10:00:05Z" },
      ],
    },
  });
  const [closed, opened] = within(await screen.findByRole("region", { name: "Circuit" })).getAllByRole("listitem");
  expect(closed).toHaveTextContent("Closed");
  expect(opened).toHaveTextContent("Opened for 5.0 s");
});

it("is copied as a command, by two clicks", async () => {
  const { user } = await agentPage();
  await user.click(await screen.findByRole("button", { name: "More for writer" }));
  await user.click(screen.getByRole("menuitem", { name: "Copy as CLI" }));
  expect(await navigator.clipboard.readText()).toBe("signoff agents show writer");
});
