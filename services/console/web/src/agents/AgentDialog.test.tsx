import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem } from "@/testing/server";
import { AgentDialog } from "./AgentDialog";

it("says that an agent has changed meanwhile, shows its values now, and goes on from there", async () => {
  const asked = on("patch", "/api/agents/writer", () => problem(412, "version_conflict", "the agent is at version 2"));
  const { user } = await renderPage(<AgentDialog agent={anAgent()} onClose={() => undefined} />);
  await user.type(await screen.findByLabelText("Name"), " two");
  on("get", "/api/agents/writer", () => json(anAgent({ version: 2, url: "http://moved/", policy: { max_calls: 9 } })));
  await user.click(screen.getByRole("button", { name: "Save" }));
  const alert = await screen.findByRole("alert");
  expect(alert).toHaveTextContent("writer has changed meanwhile; nothing was saved.");
  await waitFor(() => expect(alert).toHaveTextContent('url: "http://moved/"'));
  expect(alert).toHaveTextContent('"max_calls": 9');
  expect(screen.getByRole("button", { name: "Save" })).toHaveAttribute("aria-disabled", "true");
  await user.click(within(alert).getByRole("button", { name: "Load" }));
  expect(screen.getByLabelText("Name")).toHaveValue("writer two");
  expect(screen.getByLabelText("Address")).toHaveValue("http://moved/");
  on("patch", "/api/agents/writer", (request) => {
    asked.push(request.clone());
    return json(anAgent({ version: 3 }));
  });
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked).toHaveLength(2));
  expect(asked[1]?.headers.get("If-Match")).toBe('"2"');
  expect(await asked[1]?.json()).toEqual({ name: "writer two" });
});
