import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const SOURCE = join(process.cwd(), "src");
/** The words that no text has which a person reads: the command line and the API keep to the same list. */
const LIST = join(process.cwd(), "../../../tests/support/words/unclear.txt");
const UNCLEAR = new RegExp(`\\b(?:${readFileSync(LIST, "utf8").trim().split("\n").join("|")})\\b`, "i");

/** The texts of a module: its literals, and what stands between tags. */
function textsOf(path: string): string[] {
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) || ts.isJsxText(node) || ts.isTemplateLiteralToken(node)) texts.push(node.text);
    ts.forEachChild(node, visit);
  };
  const kind = path.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  visit(ts.createSourceFile(path, readFileSync(join(SOURCE, path), "utf8"), ts.ScriptTarget.Latest, false, kind));
  return texts;
}

it("has no unclear words in its texts", () => {
  const modules = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter(
    (path) => /\.tsx?$/.test(path) && !/\.test\.|schema\.d\.ts/.test(path),
  );
  const texts = modules.flatMap((path) => textsOf(path).map((text) => `${path}: ${text.trim()}`));
  expect(texts.length).toBeGreaterThan(1_000);
  expect(texts.filter((text) => UNCLEAR.test(text))).toEqual([]);
});
