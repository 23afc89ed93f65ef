import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { renderPage } from "@/testing/render";
import { Shell } from "./Shell";

it("opens help and the palette by keys, and remembers the theme", async () => {
  const { user } = await renderPage(<Shell />);
  await user.keyboard("?");
  expect(await screen.findByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await user.keyboard("{Escape}");
  await user.keyboard("{Control>}k{/Control}");
  expect(await screen.findByRole("dialog", { name: "Command palette" })).toBeVisible();
  await user.keyboard("dark{Enter}");
  expect(document.documentElement.dataset.theme).toBe("dark");
});

it("the help names every key that a page takes", async () => {
  const pages = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".tsx"));
  const bound = pages.flatMap((path) =>
    [...readFileSync(join("src", path), "utf8").matchAll(/useShortcuts\(\{(.*?)\n {2}\}\)/gs)].flatMap(([, body]) =>
      [...(body ?? "").matchAll(/^ {4}"?([^\s":]+(?: \w)?)"?:/gm)].map(([, key]) => key),
    ),
  );
  expect(bound).toContain("f");
  const { user } = await renderPage(<Shell />);
  await user.keyboard("?");
  await screen.findByRole("dialog", { name: "Keyboard" });
  const named = [...document.querySelectorAll("dt .sr-only")].map((each) => each.textContent);
  const isNamed = (key = "") => named.includes(key.replace(/^Shift\+(?=\W)/, "").replace("+", " "));
  expect(bound.filter((key) => !isNamed(key))).toEqual([]);
});

it.each([
  ["New job", "/new"],
  ["Batches", "/batches"],
  ["Register an agent", "/agents"],
  ["Limits", "/system/limits"],
  ["Dead letters", "/system/dead-letters"],
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
  ["gi", "/"],
  ["gl", "/jobs"],
  ["gq", "/quality"],
  ["gs", "/system"],
])("the keys %s lead to %s", async (keys, address) => {
  const { user, router } = await renderPage(<Shell />);
  await user.keyboard(keys);
  await waitFor(() => expect(router.state.location.pathname).toBe(address));
});

it("single keys can be turned off", async () => {
  const { user } = await renderPage(<Shell />);
  await user.keyboard("?");
  await user.click(await screen.findByRole("checkbox", { name: "Single keys are shortcuts" }));
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
