import { expect, it } from "vitest";
import { makePatch } from "./merge-patch";

it.each([
  [{ a: 1, b: "x" }, { a: 1, b: "y" }, { b: "y" }],
  [{ a: 1, b: null }, { a: null }, { a: null }],
  [{ policy: { x: 1, y: 2 } }, { policy: { y: 3, z: 4 } }, { policy: { x: null, y: 3, z: 4 } }],
  [{ labels: { team: "red" } }, { labels: {} }, { labels: { team: null } }],
  [{}, { list: [1, 2], labels: { team: "red" } }, { list: [1, 2], labels: { team: "red" } }],
  [{ list: [1] }, { list: [] }, { list: [] }],
  [
    { settings: { model: "a", extra: { x: 1, y: 2 } } },
    { settings: { extra: { y: 3 } } },
    { settings: { model: null, extra: { y: 3 } } },
  ],
])("leads from %j to %j", (before, after, patch) => {
  expect(makePatch(before, after)).toEqual(patch);
});
