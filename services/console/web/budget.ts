import { gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

const SCRIPT_MAX_KB = 200;
const STYLE_MAX_KB = 15;
/** All that a job's page loads: the parser of its result, too, which runs in a worker. */
const JOB_MAX_KB = 300;
const JOB_PARTS = ["JobPage", "DocumentView"];
const JOB_WORKER = /\/worker-[^/]*\.js$/;
const PAGE = "index";
const DOCS = /\/docs-/; // the description of the API is a page of its own

type Bundle = Rolldown.OutputBundle;

/** Fails a build whose first load is too large, and prints what is loaded first and what later (compressed). */
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
      this.info(`first load: ${script} KB of script (at most ${SCRIPT_MAX_KB}), ${style} KB of style`);
      this.info(`later: ${later.map(([name, size]) => `${name} ${size}`).join(", ")}`);
      const job = new Set([...first, ...loadedWith(bundle, (part) => JOB_PARTS.includes(part.name))]);
      const workers = Object.keys(bundle).filter((name) => JOB_WORKER.test(name));
      const jobScript = kilobytes([...job, ...workers].map((name) => textOf(bundle, name)));
      this.info(`a job's page: ${jobScript} KB of script (at most ${JOB_MAX_KB})`);
      if (workers.length !== 1) this.error("the worker of results is not found");
      if (jobScript > JOB_MAX_KB) this.error(`a job's page has ${jobScript} KB of script, over ${JOB_MAX_KB}`);
      if (script > SCRIPT_MAX_KB) this.error(`the first load has ${script} KB of script, over ${SCRIPT_MAX_KB}`);
      if (style > STYLE_MAX_KB) this.error(`the page has ${style} KB of style, over ${STYLE_MAX_KB}`);
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
