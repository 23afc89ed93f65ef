import { act, render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { liveStatus } from "@/live/live-status";
import { LivePill } from "./LivePill";

it("shows how it hears of changes, and never better than it is", () => {
  render(<LivePill />);
  expect(screen.getByText("Connecting")).toBeVisible();
  act(() => liveStatus.set({ state: "live" }));
  expect(screen.getByText("Live")).toBeVisible();
  act(() => liveStatus.set({ state: "reconnecting", retryAt: Date.now() + 4_000, since: Date.now() }));
  expect(screen.getByText(/Reconnecting in \d s/)).toBeVisible();
  const problem = "Signoff cannot write to its database: it is read-only";
  act(() => liveStatus.set({ state: "database-away", problem, remedy: "reset it" }));
  expect(screen.getByText(problem)).toBeVisible();
  expect(screen.getByTitle(/To do: reset it/)).toBeVisible();
  act(() => liveStatus.set({ state: "paused" }));
  expect(screen.getByText("Paused")).toBeVisible();
});
