import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

/**
 * The folders of the page, from top to bottom. Each layer has columns that know nothing of each other. A module imports
 * from its own folder, from folders further down in its column, and from the layers below.
 */
const LAYERS: readonly (readonly string[])[][] = [
  [["."], ["testing"]],
  [["app", "app/shell", "app/palette"], ["docs"]],
  [["quality"], ["judges", "judges/evaluations"], ["judges/playground"], ["inbox"], ["batches"], ["keeping"]],
  [["groups"]],
  [
    ["agents/try", "agents"],
    ["system"],
    ["access"],
    [
      "jobs/detail",
      "jobs/detail/removed",
      "jobs/detail/header",
      "jobs/detail/result",
      "jobs/detail/standing",
      "jobs/detail/history",
      "jobs/detail/errors",
      "jobs/list",
      "jobs/list/bulk",
      "jobs/list/table",
      "jobs/list/state",
      "jobs/list/filters",
      "jobs/list/filters/menus",
      "jobs/list/search",
      "jobs/form",
      "jobs/form/fields",
      "jobs/form/model",
      "jobs/actions",
      "jobs",
    ],
  ],
  [["limits"]],
  [["jobs/model"], ["policy"], ["judging"]],
  [["results", "results/views", "results/worker", "results/model"], ["live"]],
  [["api"]],
  [["ui/display", "ui/overlays"]],
  [["ui/controls"]],
  [["ui/feedback"]],
  [["lib"]],
];

/** The one folder without modules: a style sheet may be imported from anywhere. */
const STYLES = "styles";
const SOURCE = join(process.cwd(), "src");
const MODULE = /\.tsx?$/;
const TEST = /\.test\.tsx?$/;

type Place = { layer: number; column: number; row: number };

const places = new Map<string, Place>(
  LAYERS.flatMap((columns, layer) =>
    columns.flatMap((folders, column) =>
      folders.map((folder, row): [string, Place] => [folder, { layer, column, row }]),
    ),
  ),
);

/** The modules of the page by their paths below src, without tests. */
const modules = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((path) => MODULE.test(path) && !TEST.test(path))
  .toSorted();

const byFolder = Map.groupBy(modules, (path) => dirname(path));

/** What a module names in its imports, types and lazy ones included. */
function specifiersOf(path: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(SOURCE, path), "utf8"), true, true);
  return importedFiles.map(({ fileName }) => fileName);
}

/** The folder of an imported module; undefined for a package. */
function folderOf(specifier: string, importer: string): string | undefined {
  if (specifier.startsWith("@/")) return dirname(specifier.slice(2));
  return specifier.startsWith(".") ? dirname(join(dirname(importer), specifier)) : undefined;
}

/** Whether modules of one folder may import from another. */
function isAllowed(from: string, to: string): boolean {
  if (from === to) return true;
  const [above, below] = [places.get(from), places.get(to)];
  if (!above || !below) return false;
  if (above.layer !== below.layer) return above.layer < below.layer;
  return above.column === below.column && above.row < below.row;
}

it("gives each folder a place, and no place to a folder that is gone", () => {
  expect([...byFolder.keys()].toSorted()).toEqual([...places.keys()].toSorted());
});

it("lets imports go down only", () => {
  const wrong = modules.flatMap((path) =>
    specifiersOf(path)
      .filter((specifier) => {
        const folder = folderOf(specifier, path);
        return folder !== undefined && folder !== STYLES && !isAllowed(dirname(path), folder);
      })
      .map((specifier) => `${path} imports ${specifier}`),
  );
  expect(wrong).toEqual([]);
});

it("names a module of another folder by its path from the root", () => {
  const wrong = modules.filter((path) => specifiersOf(path).some((specifier) => specifier.startsWith("../")));
  expect(wrong).toEqual([]);
});
