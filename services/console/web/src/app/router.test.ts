import { expect, it } from "vitest";
import { router } from "./router";

it.each([
  ["/jobs?status=FAILED&q=moon", { status: ["FAILED"], text: "moon" }],
  ["/jobs?status=NOPE", { unknown: ["status=NOPE"] }],
  ["/jobs", {}],
])("keeps the filters of the old address %s", async (address, search) => {
  window.history.replaceState(null, "", address);
  router.history.replace(address);
  await router.load();
  expect(router.state.location.pathname).toBe("/");
  expect(router.state.matches.at(-1)?.search).toEqual(search);
});
