import { expect, it } from "vitest";
import { anAgent } from "@/testing/factories";
import { idle } from "./queries";
import { type AgentsSearch, parseAgentsSearch, sortAgents } from "./sort";

const ENTRIES = [
  { agent: anAgent({ id: "b", name: "b" }), stats: { ...idle("b"), mean_agent_s: 9, success_rate: 0.2 } },
  { agent: anAgent({ id: "c", name: "C", paused: true }), stats: { ...idle("c"), mean_agent_s: 30, running: 2 } },
  { agent: anAgent({ id: "a", name: "a" }), stats: { ...idle("a"), mean_cost_usd: "0.5", success_rate: 0.9 } },
];

const SORTED: [AgentsSearch, string][] = [
  [{}, "abc"],
  [{ reverse: true }, "cba"],
  [{ by: "answers" }, "cba"],
  [{ by: "answers", reverse: true }, "bca"], // what is not known stays last
  [{ by: "success" }, "bac"],
  [{ by: "load" }, "cba"],
  [{ by: "cost" }, "abc"],
  [{ by: "health" }, "cba"],
];

it.each(SORTED)("sorts by %o", (search, expected) => {
  const sorted = sortAgents(ENTRIES, search).map(({ agent }) => agent.id);
  expect(sorted[0]).toBe(expected[0]);
  if (!["load", "cost", "health"].includes(search.by ?? "")) expect(sorted.join("")).toBe(expected);
});

it("reads its address, and leaves out what is not understood", () => {
  expect(parseAgentsSearch({ by: "cost", reverse: "true", register: "no" })).toEqual({ by: "cost", reverse: true });
  expect(parseAgentsSearch({ by: "toString" })).toEqual({});
});
