import { expect, it } from "vitest";
import { keepSafeAddress } from "./markdown-links";

it.each([
  ["href", "https://a.example", "https://a.example"],
  ["href", "javascript:alert(1)", ""],
  ["href", "data:text/html,x", ""],
  ["src", "https://a.example/pixel.png?secret", ""],
  ["src", "//a.example/x.png", ""],
  ["src", "/api/logout", ""],
  ["src", "data:image/png;base64,AA", "data:image/png;base64,AA"],
  ["src", "data:image/svg+xml;base64,AA", ""],
])("in Markdown, %s of %s becomes %j", (key, address, kept) => {
  expect(keepSafeAddress(address, key)).toBe(kept);
});
