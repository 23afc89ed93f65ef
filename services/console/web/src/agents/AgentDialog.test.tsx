import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aMe } from "@/testing/callers";
import { anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, onPost, problem } from "@/testing/server";
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

const MODEL = anAgent({
  protocol: "openai",
  settings: { model: "gpt-5", parameters: { temperature: 0, stop: ["."] }, of_a_newer_server: 1 },
});

it("registers a model with its settings; what is wrong with one stands at its field", async () => {
  const errors = [{ pointer: "#/settings/template", message: "weather is none of title, description" }];
  let answer = problem(422, "invalid_request", "the request is not valid", errors);
  const asked = onPost("/api/agents", () => answer);
  const { user } = await renderPage(<AgentDialog onClose={() => undefined} />);
  await user.type(await screen.findByLabelText("Name"), "Translator");
  await user.type(screen.getByLabelText("Address"), "https://api.example/v1");
  expect(screen.getByLabelText("Signing secrets")).toBeVisible();
  await user.selectOptions(screen.getByLabelText("Protocol"), "openai");
  expect(screen.queryByLabelText("Signing secrets")).not.toBeInTheDocument();
  await user.type(screen.getByLabelText("Parameters"), "temperature 0");
  const register = screen.getByRole("button", { name: "Register" });
  await user.click(register);
  expect(screen.getByText("It needs a model.")).toBeVisible();
  expect(screen.getByText(/^This is not JSON: Unexpected token/)).toBeVisible();
  expect(asked).toHaveLength(0);
  await user.type(screen.getByLabelText("Model"), " gpt-5 ");
  await user.type(screen.getByLabelText("Template"), "About {{{{weather}}");
  await user.clear(screen.getByLabelText("Parameters"));
  await user.type(screen.getByLabelText("Parameters"), '{{"temperature": 0}');
  await user.click(register);
  await waitFor(() =>
    expect(screen.getByLabelText("Template")).toHaveAccessibleDescription(/weather is none of title, description/),
  );
  expect(screen.getByLabelText("Template")).toHaveFocus();
  answer = json(MODEL, 201);
  await user.click(register);
  await waitFor(() => expect(asked).toHaveLength(2));
  expect(await asked[1]?.json()).toMatchObject({
    protocol: "openai",
    settings: { model: "gpt-5", template: "About {{weather}}", parameters: { temperature: 0 } },
    signing: null,
  });
});

it("shows what is wrong with a box at it, what has no field in words, and goes on once it is mended", async () => {
  const errors = (pointer: string) => [{ pointer, message: "is of Responses" }];
  let answer = problem(422, "invalid_request", "not valid", errors("#/settings/background"));
  const asked = on("patch", "/api/agents/writer", () => answer);
  const { user } = await renderPage(<AgentDialog agent={MODEL} onClose={() => undefined} />);
  const box = await screen.findByRole("checkbox", { name: /The work goes on by itself/ });
  await user.click(box);
  const save = screen.getByRole("button", { name: "Save" });
  await user.click(save);
  await waitFor(() => expect(box).toHaveAccessibleDescription("is of Responses"));
  await user.clear(screen.getByLabelText("Model"));
  await user.click(save);
  expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  await user.type(screen.getByLabelText("Model"), "gpt-6");
  for (const place of ["settings", "settings/assistant", "protocol"]) {
    answer = problem(422, "invalid_request", "not valid", errors(`#/${place}`));
    await user.click(save);
    const told = `${place.replace("/", ".")}: is of Responses`;
    await waitFor(() => expect(screen.getByRole("alert")).toHaveTextContent(told));
  }
  expect(asked).toHaveLength(4);
});

it("keeps the protocol of an agent, and settings that it does not know; changes each setting as a whole", async () => {
  const asked = on("patch", "/api/agents/writer", () => json(MODEL));
  const { user } = await renderPage(<AgentDialog agent={MODEL} onClose={() => undefined} />);
  expect(await screen.findByText(/A model behind OpenAI's API/)).toBeVisible();
  expect(screen.queryByRole("combobox", { name: "Protocol" })).not.toBeInTheDocument();
  const parameters = screen.getByLabelText("Parameters");
  await user.clear(parameters);
  await user.type(parameters, '{{"temperature": 1}');
  await user.click(screen.getByLabelText(/The work goes on by itself/));
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ settings: { parameters: { temperature: 1 }, background: true } });
});

it("signs an agent's calls no more", async () => {
  const signed = anAgent({ signing: "file:writer/signing" });
  const asked = on("patch", "/api/agents/writer", () => json(signed));
  const { user } = await renderPage(<AgentDialog agent={signed} onClose={() => undefined} />);
  await user.clear(await screen.findByLabelText("Signing secrets"));
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ signing: null });
});

it("offers to share an agent to those alone who are of all tenants, and changes nothing otherwise", async () => {
  const asked = onPost("/api/agents", () => json(anAgent(), 201));
  const register = async (share?: string) => {
    const { user, unmount } = await renderPage(<AgentDialog onClose={() => undefined} />);
    await user.type(await screen.findByLabelText("Name"), "Translator");
    await user.type(screen.getByLabelText("Address"), "https://api.example/v1");
    if (share !== undefined) await user.selectOptions(await screen.findByLabelText("Shared"), share);
    await user.click(screen.getByRole("button", { name: "Register" }));
    unmount();
    return asked.at(-1)?.json();
  };
  expect(await register("yes")).toMatchObject({ shared: true });
  expect(await register("no")).toMatchObject({ shared: false });
  expect(await register("")).not.toHaveProperty("shared");
  on("get", "/api/me", () => json(aMe({ all_tenants: false, tenants: ["press"] })));
  expect(await register()).not.toHaveProperty("shared");
  expect(screen.queryByLabelText("Shared")).not.toBeInTheDocument();
});
