import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import type { Token } from "./blocks";

const lowlight = createLowlight({
  bash,
  css,
  diff,
  go,
  java,
  javascript,
  json,
  markdown,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
});

type Child = ReturnType<typeof lowlight.highlight>["children"][number];

/** Highlight code; undefined where its language is none of these. */
export function highlight(code: string, language: string): Token[] | undefined {
  return lowlight.registered(language) ? flatten(lowlight.highlight(language, code).children) : undefined;
}

/** List the pieces of highlighted code; the innermost colour counts. */
function flatten(children: readonly Child[], kind?: string): Token[] {
  return children.flatMap((child): Token[] => {
    if (child.type === "text") return [[child.value, kind]];
    if (child.type !== "element") return [];
    const [name] = (child.properties.className as string[] | undefined) ?? [];
    return flatten(child.children, name ?? kind);
  });
}
