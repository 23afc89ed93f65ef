import { expect, it } from "vitest";
import { inspectResult } from "./inspect-result";

const PIXEL = "iVBORw0KGgo=";

it.each([
  ["plain words", ["text"]],
  [{ text: "plain words" }, ["text", "json"]],
  ["# A title\n\n- a point", ["markdown", "text"]],
  [{ markdown: "**so**" }, ["markdown", "text", "json"]],
  [
    [{ a: 1 }, { a: 2, b: 3 }],
    ["table", "json", "text"],
  ],
  [{ rows: [{ a: 1 }] }, ["table", "json", "text"]],
  [{ a: 1, b: { c: 2 } }, ["fields", "json", "text"]],
  [`data:image/png;base64,${PIXEL}`, ["image", "json"]],
  [{ content_type: "image/png", data: PIXEL }, ["image", "json"]],
  [{ content_type: "image/svg+xml", data: PIXEL }, ["fields", "json", "text"]],
  ["https://evil.example/x.png", ["text"]],
  ["<!DOCTYPE html><p>hi", ["text", "html"]],
  ["\n<table class=x><tr>", ["text", "html"]],
  ["<polygon>", ["text"]],
  [{ text: "<p>hi" }, ["text", "json"]],
  ["<!-- a page --><html><p>Hi", ["text", "html"]],
  [null, ["json", "text"]],
])("%j is shown as %j", (value, views) => {
  expect(inspectResult(value).views).toEqual(views);
});

it.each([
  ["brackets", "[".repeat(1_000_000)],
  ["links that never end", "[a](".repeat(37_000)],
  ["emphasis that never ends", "**a".repeat(37_000)],
])("%s, however many, are looked at fast", (_, value) => {
  const started = performance.now();
  inspectResult(value);
  expect(performance.now() - started).toBeLessThan(1_000);
});
