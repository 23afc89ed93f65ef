import { gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

const STYLE_MAX_KB = 15;
/** All script that a page loads, at most: beside what every page begins with, the parts that it is made of. */
const PAGES: Record<string, { parts: string[]; maxKb: number }> = {
  "/": { parts: ["InboxPage"], maxKb: 180 },
  "/jobs/ID": { parts: ["JobPage"], maxKb: 300 },
  "/system": { parts: ["OverviewPage"], maxKb: 260 },
};
/** The parser of a job's result runs in a worker, which is loaded with its page. */
const WORKER_OF = "/jobs/ID";
const WORKER = /\/worker-[^/]*\.js$/;
const PAGE = "index";
const DOCS = /\/docs-/; // the description of the API is a page of its own

type Bundle = Rolldown.OutputBundle;

/** Fails a build of which a page is too large, and prints what is loaded first and what later (compressed). */
export function budget(): Plugin {
  return {
    name: "budget",
    apply: "build",
    generateBundle(_options, bundle) {
      const first = firstLoad(bundle);
      const script = kilobytes([...first].map((name) => textOf(bundle, name)));
      const style = kilobytes(
        Object.keys(bundle)
          .filter((name) => name.endsWith(".css") && !DOCS.test(name))
          .map((name) => textOf(bundle, name)),
      );
      const later = Object.values(bundle)
        .filter((part) => part.type === "chunk" && !first.has(part.fileName))
        .map((part) => [part.fileName.replace(/^.*\/|-[^-]*\.js$/g, ""), kilobytes([textOf(bundle, part.fileName)])])
        .toSorted(([, a], [, b]) => Number(b) - Number(a));
      this.info(`first load: ${script} KB of script, ${style} KB of style`);
      this.info(`later: ${later.map(([name, size]) => `${name} ${size}`).join(", ")}`);
      if (style > STYLE_MAX_KB) this.error(`the page has ${style} KB of style, over ${STYLE_MAX_KB}`);
      const workers = Object.keys(bundle).filter((name) => WORKER.test(name));
      if (workers.length !== 1) this.error("the worker of results is not found");
      for (const [page, { parts, maxKb }] of Object.entries(PAGES)) {
        const loaded = [...first, ...loadedWith(bundle, (part) => parts.includes(part.name))];
        const names = new Set(page === WORKER_OF ? [...loaded, ...workers] : loaded);
        const size = kilobytes([...names].map((name) => textOf(bundle, name)));
        this.info(`${page}: ${size} KB of script (at most ${maxKb})`);
        if (size > maxKb) this.error(`${page} has ${size} KB of script, over ${maxKb}`);
      }
    },
  };
}

/** The entry, and all that it cannot begin without. */
const firstLoad = (bundle: Bundle) => loadedWith(bundle, (part) => part.isEntry && part.name === PAGE);

/** Parts, and all that they cannot begin without. */
function loadedWith(bundle: Bundle, isWanted: (part: Rolldown.OutputChunk) => boolean): Set<string> {
  const found = new Set<string>();
  const follow = (name: string) => {
    const part = bundle[name];
    if (part?.type !== "chunk" || found.has(name)) return;
    found.add(name);
    part.imports.forEach(follow);
  };
  for (const part of Object.values(bundle)) if (part.type === "chunk" && isWanted(part)) follow(part.fileName);
  return found;
}

function textOf(bundle: Bundle, name: string): string {
  const part = bundle[name];
  if (!part) return "";
  return part.type === "chunk" ? part.code : String(part.source);
}

const kilobytes = (texts: string[]) =>
  Math.round(texts.reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0) / 100) / 10;
