import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

type Operation = { operationId: string; "x-roles"?: string[]; "x-all-tenants"?: boolean };

const VERBS = ["post", "put", "patch", "delete"];
const { paths } = JSON.parse(readFileSync("openapi.json", "utf8")) as {
  paths: Record<string, Record<string, Operation>>;
};
const changes = Object.entries(paths).flatMap(([path, verbs]) =>
  Object.entries(verbs).flatMap(([verb, operation]) => (VERBS.includes(verb) ? [{ path, verb, ...operation }] : [])),
);

const inWords = ({ "x-roles": names = [], "x-all-tenants": ofAll }: Operation) => {
  const words = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(names);
  return ofAll ? `${words} of all tenants` : words;
};

it("has the roles of each operation that changes something, as the API's document says them", () => {
  const said = Object.fromEntries(changes.map((each) => [each.operationId, inWords(each)]));
  const sorted = Object.fromEntries(Object.entries(said).toSorted(([one], [other]) => (one < other ? -1 : 1)));
  if (process.env.SIGNOFF_WRITE_EXPECTED) {
    writeFileSync("src/api/roles.json", `${JSON.stringify(sorted, undefined, 2)}\n`);
  }
  expect(JSON.parse(readFileSync("src/api/roles.json", "utf8"))).toEqual(sorted);
});

/** Modules of the page, without tests and what they share. */
const modules = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => /\.tsx?$/.test(path) && !/\.test\.|^testing|schema\.d/.test(path))
  .map((path) => readFileSync(join("src", path), "utf8"));

it("no button sends what one may not ask for: each request that changes something is refused by its operation's roles", () => {
  const sent = modules.flatMap((text) =>
    [...text.matchAll(/\bapi\.(post|put|patch|delete)\((?:\s*"([^"]+)"|PATHS\[)/g)].flatMap(([, verb, path]) => {
      const named = path ? [path] : [...text.matchAll(/^ {2}\w+: "(\/api\/[^"]+)"/gm)].map(([, each]) => each);
      return named.map((each) => changes.find((one) => one.path === each && one.verb === verb)?.operationId);
    }),
  );
  expect(new Set(sent).size).toBeGreaterThan(20);
  const asking = modules.filter((text) => /useRefusal|import type \{ Change \}/.test(text)).join("\n");
  const refused = new Set([...asking.matchAll(/"(\w+)"/g)].map(([, word]) => word));
  // What looks through criteria is read by all who see a form with them, and has no button.
  expect(sent.filter((each) => each !== "lint_criteria" && !refused.has(each))).toEqual([]);
});
