import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FIELDS, FILTERS, NEGATED_FILTERS, OTHERS, RANGE_FILTERS, VALUE_FILTERS } from "./fields";
import { toFilter } from "./list/bulk/operation";
import { describeSearch } from "./list/search/describe-search";
import { toJobsQuery } from "./list/search/jobs-search";
import { parseJobsSearch } from "./list/search/parse-address";
import { parseQuery } from "./list/search/parse-query";

const API = JSON.parse(readFileSync(join(process.cwd(), "openapi.json"), "utf8"));
const JOBS = join(process.cwd(), "src/jobs");
const NOW = Date.parse("2026-11-25T12:00:00Z");
/** Parameters by which nothing is filtered; an id is found by the text, too. */
const UNFILTERED = ["view", "page_size", "page_token", "order", "id_part"];

const propertiesOf = (name: string) => Object.keys(API.components.schemas[name].properties);
const sorted = (names: Iterable<string>) => [...new Set(names)].toSorted();
const filtered = (names: string[]) => sorted(names.filter((name) => !UNFILTERED.includes(name)));

it("has each field of the API on the page, or the reason why it has not", () => {
  const named = [...Object.keys(FIELDS), ...Object.keys(OTHERS)];
  expect(named.toSorted()).toEqual(sorted(["Job", "NewJob", "JobPatch", "JobNow"].flatMap(propertiesOf)));
  // @ts-expect-error A field that the API has not is no field.
  expect(FIELDS.colour).toBeUndefined();
});

it("filters by all that the API filters by, in the list and in operations", () => {
  const values = { labels: "a:b", uuid: "0199d5a8-0000-7000-8000-00000000000a" } as Record<string, string>;
  const search = parseJobsSearch({
    ...{ status: "FAILED", cancelled: "true", from: "2026-11-24", to: "2026-11-25", text: "moon" },
    ...Object.fromEntries([
      ...VALUE_FILTERS.map(({ asks, kind }) => [asks, values[kind] ?? "x"]),
      ...NEGATED_FILTERS.map(({ asks, kind }) => [`not_${asks}`, values[kind] ?? "x"]),
      ...RANGE_FILTERS.flatMap(({ asks }) => [`${asks}_min`, `${asks}_max`].map((name) => [name, "1"])),
    ]),
  });
  const parameters = API.paths["/api/jobs"].get.parameters.map(({ name }: { name: string }) => name);
  expect(search.unknown).toBeUndefined();
  expect(sorted(Object.keys(toJobsQuery(search, NOW)))).toEqual(filtered(parameters));
  expect(sorted(Object.keys(toFilter("retry", search, NOW)))).toEqual(filtered(propertiesOf("JobFilterInput")));
});

it.each(FILTERS.filter(({ kind }) => kind === "text"))(
  "reads, asks for and describes a $word by its entry",
  (filter) => {
    const { word, asks } = filter;
    const parsed = parseQuery(`${word}:moon -${word}:sun`, { before: {}, agents: [], now: NOW, zone: "UTC" });
    const search = "search" in parsed ? parsed.search : {};
    expect(toJobsQuery(search, NOW)).toEqual({ [asks]: "moon", [`not_${asks}`]: ["sun"] });
    expect(parseJobsSearch(search as never)).toMatchObject(search);
    expect(describeSearch(search, "UTC")).toContain(filter.chip ? `${filter.chip} “moon”` : `${word} moon`);
  },
);

it("has a text with a column, a fact, a filter and a control, such as the tenant, in one entry and nowhere else", () => {
  const { column, fact, filter, form } = FIELDS.tenant;
  expect([column, fact, filter, form]).not.toContain(undefined);
  const modules = readdirSync(JOBS, { recursive: true, encoding: "utf8" }).filter((path) =>
    /^(?!.*\.test\.).*\.tsx?$/.test(path),
  );
  const withoutComments = (path: string) =>
    readFileSync(join(JOBS, path), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  // One is chosen for the whole page, which these ask for; and errors speak of it.
  const lists = ["JobsPage.tsx", "bulk/OperationFields.tsx", "search/facets.ts", "search/use-search-changes.ts"];
  const others = ["form/NewJobPage.tsx", ...lists.map((path) => `list/${path}`)];
  const isOther = (path: string) => others.includes(path) || path.startsWith("detail/errors/");
  const named = modules.filter((path) => /tenant/i.test(withoutComments(path)));
  expect(named.filter((path) => !isOther(path))).toEqual(["fields.ts"]);
});
