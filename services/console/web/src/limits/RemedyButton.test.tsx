import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { WaitReason } from "@/api/types";
import { renderPage } from "@/testing/render";
import { json, on, problem } from "@/testing/server";
import { RemedyButton } from "./RemedyButton";
import { findRemedy, type Remedy } from "./remedies";

const remedyOf = (code: string, name: string) => findRemedy({ code, name } as WaitReason) as Remedy;

it.each([
  ["Resume agent", "limit_paused", "agent:writer", "post", "/api/agents/writer/resume", ""],
  ["Resume tenant", "limit_paused", "tenant:press", "post", "/api/tenants/press/resume", ""],
  ["Resume batch", "limit_paused", "batch:b1", "post", "/api/operations/b1/resume", ""],
  ["Resume", "limit_paused", "agent:*", "patch", "/api/limits/:name", '{"paused":false}'],
  ["Resume", "limit_paused", "label:a=b:c", "patch", "/api/limits/:name", '{"paused":false}'],
  ["Close circuit", "circuit_open", "writer", "patch", "/api/agents/writer", '{"enabled":true}'],
  ["Close circuit", "circuit_probing", "writer", "patch", "/api/agents/writer", '{"enabled":true}'],
  ["Enable agent", "agent_disabled", "writer", "patch", "/api/agents/writer", '{"enabled":true}'],
] as const)("%s lifts that %s of %s", async (words, code, name, verb, path, body) => {
  const asked = on(verb, path, () => json({}));
  const { user } = await renderPage(<RemedyButton remedy={remedyOf(code, name)} />);
  await user.click(screen.getByRole("button", { name: words }));
  expect(await asked[0]?.text()).toBe(body);
  expect(asked).toHaveLength(1);
});

it("says why it was refused", async () => {
  on("post", "/api/agents/writer/resume", () => problem(403, "forbidden", "not with this token"));
  const { user } = await renderPage(<RemedyButton remedy={remedyOf("limit_paused", "agent:writer")} />);
  await user.click(screen.getByRole("button", { name: "Resume agent" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("not with this token");
});

it("has none for what no button lifts", () => {
  for (const code of ["queue", "no_worker", "judge_away", "not_before", "no_agent_matches"])
    expect(remedyOf(code, "")).toBeNull();
});
