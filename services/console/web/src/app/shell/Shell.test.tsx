import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { SignIn } from "@/app/SignIn";
import { parseSearch, stringifySearch } from "@/app/search-params";
import { liveStatus } from "@/live/live-status";
import { renderPage } from "@/testing/render";
import { onPost, problem } from "@/testing/server";
import { LivePill } from "./LivePill";
import { Shell } from "./Shell";

it("asks for a token, and leads on once it is known", async () => {
  const asked = onPost("/login", () => new Response(null, { status: 204 }));
  const onSignedIn = vi.fn();
  render(<SignIn onSignedIn={onSignedIn} />);
  await userEvent.type(screen.getByLabelText("Token"), " secret ");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await waitFor(() => expect(onSignedIn).toHaveBeenCalled());
  expect(asked[0]?.headers.get("Authorization")).toBe("Bearer secret");
});

it("says that a token is unknown", async () => {
  onPost("/login", () => problem(401, "unauthenticated", "no"));
  render(<SignIn onSignedIn={() => undefined} />);
  await userEvent.type(screen.getByLabelText("Token"), "wrong{Enter}");
  expect(await screen.findByText("The jobstore does not know this token.")).toBeVisible();
});

it("shows how it hears of changes, and never better than it is", () => {
  render(<LivePill />);
  expect(screen.getByText("Connecting")).toBeVisible();
  act(() => liveStatus.set({ state: "live" }));
  expect(screen.getByText("Live")).toBeVisible();
  act(() => liveStatus.set({ state: "reconnecting", retryAt: Date.now() + 4_000, since: Date.now() }));
  expect(screen.getByText(/Reconnecting in \d s/)).toBeVisible();
  act(() => liveStatus.set({ state: "paused" }));
  expect(screen.getByText("Paused")).toBeVisible();
});

it("opens help and the palette by keys, and remembers the theme", async () => {
  const { user } = await renderPage(<Shell />);
  await user.keyboard("?");
  expect(screen.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await user.keyboard("{Escape}");
  await user.keyboard("{Control>}k{/Control}");
  expect(await screen.findByRole("dialog", { name: "Command palette" })).toBeVisible();
  await user.keyboard("dark{Enter}");
  expect(document.documentElement.dataset.theme).toBe("dark");
});

it.each([
  ["New job", "/new"],
  ["Batches", "/batches"],
  ["Register an agent", "/agents"],
  ["Limits", "/limits"],
  ["Dead letters", "/dead-letters"],
])("the palette leads to %s", async (name, address) => {
  const { user, router } = await renderPage(<Shell />);
  await user.click(screen.getByRole("button", { name: "Command palette" }));
  await user.click(await screen.findByRole("option", { name }));
  await waitFor(() => expect(router.state.location.pathname).toBe(address));
});

it.each([
  ["c", "/new"],
  ["gb", "/batches"],
  ["ga", "/agents"],
  ["go", "/overview"],
])("the keys %s lead to %s", async (keys, address) => {
  const { user, router } = await renderPage(<Shell />);
  await user.keyboard(keys);
  await waitFor(() => expect(router.state.location.pathname).toBe(address));
});

it("single keys can be turned off", async () => {
  const { user } = await renderPage(<Shell />);
  await user.keyboard("?");
  await user.click(screen.getByRole("checkbox", { name: "Single keys are shortcuts" }));
  await user.keyboard("{Escape}");
  await user.keyboard("?");
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
});

it("theme, zone and keys are chosen in one place, and kept", async () => {
  const { user } = await renderPage(<Shell />);
  await user.click(screen.getByRole("button", { name: "Settings" }));
  await user.click(screen.getByRole("radio", { name: "dark" }));
  await user.click(screen.getByRole("radio", { name: "UTC" }));
  await user.click(screen.getByRole("checkbox", { name: "Single keys are shortcuts" }));
  expect(document.documentElement.dataset.theme).toBe("dark");
  expect(localStorage.getItem("signoff.zone")).toBe('"UTC"');
  await user.keyboard("{Escape}?");
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
});

it("addresses are such as people can read and type", () => {
  const search = { status: ["FAILED", "REJECTED"], text: "a b", sort: undefined };
  expect(stringifySearch(search)).toBe("?status=FAILED&status=REJECTED&text=a+b");
  expect(parseSearch("?status=FAILED&status=REJECTED&text=a+b")).toEqual({
    status: ["FAILED", "REJECTED"],
    text: "a b",
  });
});
