import { expect, it } from "vitest";
import { parseSearch, stringifySearch } from "./search-params";

it("addresses are such as people can read and type", () => {
  const search = { status: ["FAILED", "REJECTED"], text: "a b", sort: undefined };
  expect(stringifySearch(search)).toBe("?status=FAILED&status=REJECTED&text=a+b");
  expect(parseSearch("?status=FAILED&status=REJECTED&text=a+b")).toEqual({
    status: ["FAILED", "REJECTED"],
    text: "a b",
  });
});
