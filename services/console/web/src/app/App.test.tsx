import { render, screen } from "@testing-library/react";
import { afterAll, expect, it, vi } from "vitest";
import { aMe } from "@/testing/callers";
import { FakeEventSource } from "@/testing/fake-event-source";
import { json, on, problem, serveJobs } from "@/testing/server";

/** A root of its own: the router that it shows keeps what was shown, which other tests' is not to have. */
async function renderApp(): Promise<void> {
  vi.resetModules();
  vi.stubGlobal("EventSource", FakeEventSource);
  history.replaceState(null, "", "/jobs");
  const { App } = await import("./App");
  render(<App />);
}

afterAll(() => void vi.resetModules());

const SENTENCE = /Your session has ended/;

it("an event stream that ends with the session leads to the sign-in, which says so", async () => {
  serveJobs([]);
  const answers = [json(aMe())];
  on("get", "/api/me", () => answers.shift() ?? problem(401, "unauthenticated", "no"));
  await renderApp();
  await screen.findByRole("button", { name: "Account" });
  await vi.waitFor(() => expect(answers).toEqual([]));
  await screen.findByText("No jobs yet");
  FakeEventSource.last.emitError();
  expect(await screen.findByText(SENTENCE)).toBeVisible();
  expect(screen.getByLabelText("Token")).toBeVisible();
});

it("whoever was not signed in reads nothing of a session", async () => {
  on("get", "/api/jobs", () => problem(401, "unauthenticated", "no"));
  on("get", "/api/me", () => problem(401, "unauthenticated", "no"));
  await renderApp();
  expect(await screen.findByLabelText("Token")).toBeVisible();
  expect(screen.queryByText(SENTENCE)).not.toBeInTheDocument();
});
