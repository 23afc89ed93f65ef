import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { AgentTry } from "@/api/types";
import { createQueryClient } from "@/live/query-client";
import { anAgent } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem } from "@/testing/server";
import { TryPage } from "./TryPage";

const ID = "0d3b0f0e-51d4-4a43-9a53-2f6d7f7d5a01";

function aTry(fields: Partial<AgentTry> = {}): AgentTry {
  return {
    id: ID,
    agent_id: "writer",
    check: false,
    state: "DONE",
    result: { text: "blue" },
    cost_usd: "0.002",
    tokens: 120,
    duration_s: 0.3,
    exchanges: [
      {
        method: "POST",
        url: "http://a/",
        request_headers: { Authorization: "***" },
        request_body: '{"title": "A try"}',
        status: 200,
        response_headers: {},
        response_body: '{"text": "blue"}',
        duration_s: 0.3,
      },
    ],
    exchanges_left_out: 0,
    checks: [],
    created_at: "2026-11-24T09:30:00Z",
    ...fields,
  };
}

function serve(...tries: AgentTry[]) {
  on("get", "/api/agents/writer", () => json(anAgent({ protocol: "openai", settings: { model: "gpt-5" } })));
  on("get", "/api/agents/writer/tries", () => items(...tries));
  on("get", `/api/agents/writer/tries/${ID}`, () => json(tries[0] ?? aTry()));
}

it("asks for a try with a payload of one's own, and shows the one that was made by its address", async () => {
  serve();
  const asked = onPost("/api/agents/writer/tries", () => json(aTry({ state: "QUEUED" }), 201));
  const { user, router } = await renderPage(<TryPage agentId="writer" />);
  expect(await screen.findByText(/OpenAI's API · gpt-5/)).toBeVisible();
  expect(screen.getByText("Nothing was tried yet")).toBeVisible();
  await user.type(screen.getByLabelText("Payload"), "city");
  await user.click(screen.getByRole("button", { name: "Call it" }));
  expect(await screen.findByText(/^This is not JSON: /)).toBeVisible();
  await user.clear(screen.getByLabelText("Payload"));
  await user.type(screen.getByLabelText("Payload"), '{{"city": "Bonn"}');
  await user.click(screen.getByLabelText(/Check how it keeps/));
  await user.click(screen.getByRole("button", { name: "Call it" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toMatchObject({ payload: { city: "Bonn" }, check: true });
  await waitFor(() => expect(router.state.location.search).toEqual({ try: ID }));
});

it("says why no try was made", async () => {
  serve();
  onPost("/api/agents/writer/tries", () => problem(429, "too_many_tries", "ten are under way"));
  const { user } = await renderPage(<TryPage agentId="writer" />);
  await user.click(await screen.findByRole("button", { name: "Call it" }));
  expect(await screen.findByText("ten are under way")).toBeVisible();
});

it("shows the result, what it cost, and each request with its answer", async () => {
  serve(aTry());
  const { user } = await renderPage(<TryPage agentId="writer" tryId={ID} />);
  expect(await screen.findByRole("region", { name: "Result" })).toHaveTextContent('"text": "blue"');
  expect(screen.getByText(/120 tokens, 300 ms/)).toBeVisible();
  const exchanges = screen.getByRole("region", { name: "Requests and answers" });
  await user.click(within(exchanges).getByText("http://a/"));
  expect(within(exchanges).getByText("***")).toBeVisible();
  expect(within(exchanges).getByRole("region", { name: "Body of answer 1" })).toHaveTextContent('{"text": "blue"}');
});

it("says what to do about an error, and how each check came out", async () => {
  const checks = [
    { check: "same_key", outcome: "failed", message: "two were begun", advice: "Keep the key.", exchanges: [0, 2] },
    { check: "later_check", outcome: "not_applicable", message: "no", exchanges: [] },
  ];
  const error = { code: "agent_status", message: "the agent answered 401", advice: "Mend the key." };
  serve(aTry({ ...error, checks, exchanges_left_out: 3 }));
  await renderPage(<TryPage agentId="writer" tryId={ID} />);
  const alert = await screen.findByRole("alert");
  for (const text of Object.values(error)) expect(alert).toHaveTextContent(text);
  expect(screen.queryByRole("heading", { name: "Result" })).not.toBeInTheDocument();
  const [first, second] = within(screen.getByRole("region", { name: "Checks" })).getAllByRole("listitem");
  expect(first).toHaveTextContent("The same key twice is one piece of work Failedtwo were begunKeep the key.");
  expect(first).toHaveTextContent("Shown by requests 1, 3");
  expect(second).toHaveTextContent("later_check Does not apply");
  expect(screen.getByText("3 requests between them are left out.")).toBeVisible();
});

const SOON = { timeout: 8_000 };

it("says where a try is until it has ended, past a console that was away, and lists what others try", async () => {
  serve(aTry({ state: "QUEUED" }));
  const client = createQueryClient();
  client.setDefaultOptions({ queries: { retry: false } });
  await renderPage(<TryPage agentId="writer" tryId={ID} />, { client });
  expect(await screen.findByText("It waits for an executor that calls its protocol.")).toBeVisible();
  const listed = await screen.findByRole("region", { name: "Tries of the last day" });
  expect(within(listed).getByRole("link")).toHaveTextContent("under way");
  const away = on("get", `/api/agents/writer/tries/${ID}`, () => problem(503, "unavailable", "the jobstore is away"));
  await waitFor(() => expect(away).not.toHaveLength(0), SOON);
  expect(screen.getByText("It waits for an executor that calls its protocol.")).toBeVisible();
  serve(aTry(), aTry({ id: ID.replace("0d", "1d"), code: "agent_timeout", check: true }));
  expect(await screen.findByRole("region", { name: "Result" }, SOON)).toBeVisible();
  await waitFor(() => expect(within(listed).getAllByRole("link")).toHaveLength(2), SOON);
  expect(listed).toHaveTextContent(/a result.*agent_timeout, with checks/);
}, 20_000);
