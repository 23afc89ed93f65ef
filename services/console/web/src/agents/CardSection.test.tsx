import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Agent } from "@/api/types";
import { anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on } from "@/testing/server";
import { AgentDialog } from "./AgentDialog";
import { describeCard, findOffered } from "./card";

const AFTER = "2030-01-01T00:00:00Z";
const skill = (id: string) => ({ id, name: `to ${id}`, description: "", tags: [] });
const CARD: NonNullable<Agent["card"]> = {
  name: "Sky",
  description: "Knows the sky",
  version: "7",
  url: "http://a/rpc",
  binding: "JSONRPC",
  lists_tasks: true,
  skills: [skill("paint"), skill("night"), skill("two\nlines"), skill("paint"), skill("")],
  read_at: AFTER,
  changes: [],
};
const sky = (card: Partial<typeof CARD> | null = {}, fields: Partial<Agent> = {}) =>
  anAgent({ protocol: "a2a", capabilities: ["night"], ...(card && { card: { ...CARD, ...card } }), ...fields });

it("shows the card of an agent, and takes its skills as capabilities by one button", async () => {
  const asked = on("patch", "/api/agents/writer", () => json(sky()));
  const changed = { changed_at: AFTER, changes: ["version: 7, was 6", "skill paint: new"] };
  const { user } = await renderPage(<AgentDialog agent={sky(changed)} onClose={() => undefined} />);
  const card = await screen.findByRole("region", { name: "Card" });
  for (const words of ["Sky 7, JSONRPC at http://a/rpc", "Knows the sky", "It lists its tasks", "version: 7, was 6"]) {
    expect(card).toHaveTextContent(words);
  }
  const take = within(card).getByRole("button", { name: "Take its skills as capabilities" });
  await user.click(take);
  expect(screen.getByLabelText("Capabilities")).toHaveValue("night\npaint");
  expect(screen.getByLabelText("Capabilities")).toHaveFocus();
  expect(take).not.toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ capabilities: ["night", "paint"] });
});

const SAID: [string, Agent, string | undefined, string][] = [
  ["not read", sky(null), "card not read yet", "an executor that runs reads it"],
  ["not read, disabled", sky(null, { enabled: false }), undefined, "It is not read."],
  [
    "older than the agent",
    sky({ read_at: "2000-01-01T00:00:00Z" }),
    "card is read again",
    "before the agent was changed",
  ],
  ["a failure", sky({ code: "agent_unreachable", message: "no" }), "card cannot be read", "agent_unreachable no"],
  ["no list of tasks", sky({ lists_tasks: false }), "lists no tasks · 1 skill offered", "ends agent_work_unknown"],
  [
    "a change of today",
    sky({ changed_at: new Date(Date.now() - 3_600_000).toISOString(), changes: ["version: 7, was 6"] }),
    "card changed · 1 skill offered",
    "version: 7, was 6",
  ],
  [
    "a change of long ago",
    sky({ changed_at: "2026-01-01T00:00:00Z", changes: ["version: 7, was 6"] }),
    "1 skill offered",
    "version: 7, was 6",
  ],
  ["nothing to do", sky({}, { capabilities: ["night", "paint"] }), undefined, "It lists its tasks"],
];

it.each(SAID)("%s is said in the table and in the form", async (_, agent, note, words) => {
  expect(describeCard(agent)).toBe(note);
  await renderPage(<AgentDialog agent={agent} onClose={() => undefined} />);
  expect(await screen.findByRole("region", { name: "Card" })).toHaveTextContent(words);
});

it("offers no more skills than an agent may have capabilities, and nothing of agents without cards", () => {
  expect(
    findOffered(
      sky(),
      Array.from({ length: 64 }, (_, number) => `c${number}`),
    ),
  ).toEqual([]);
  expect(describeCard(anAgent())).toBeUndefined();
});
