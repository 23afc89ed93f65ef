import { loadPart } from "@/lib/load-part";
import { WORK_TIMEOUT_MS } from "@/results/model/limits";
import type { Asked, Kind, Told, Work } from "./answer";
import address from "./worker?worker&url";

type Rules = { createScriptURL: (url: string) => string };
type TrustedTypes = { createPolicy: (name: string, rules: Rules) => Rules };

/** The one policy of the page: a worker is a script of our own. */
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("signoff", {
  createScriptURL: (url) => {
    if (new URL(url, location.href).origin !== location.origin) throw new TypeError(`not a script of the page: ${url}`);
    return url;
  },
});

/** Ask a worker of its own, which ends with its answer; rejects where there is none in time. How it begins may come before. */
export async function askWorker<K extends Kind>(
  asked: Asked<K>,
  signal: AbortSignal,
  onBeginning: (beginning: Work[K]["answer"]) => void,
): Promise<Work[K]["answer"]> {
  const worker = await loadPart(startWorker);
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("it takes too long")), WORK_TIMEOUT_MS);
      signal.addEventListener("abort", () => reject(signal.reason));
      signal.addEventListener("abort", () => clearTimeout(timer));
      const parts: Extract<Told, { part: unknown }>[] = [];
      worker.onmessage = ({ data }: MessageEvent<Told | { problem: string }>) => {
        if ("beginning" in data) onBeginning(data.beginning as Work[K]["answer"]);
        else if ("part" in data) parts.push(data);
        else settle(data);
      };
      const settle = (data: { lists: number } | { problem: string }) => {
        clearTimeout(timer);
        if ("problem" in data) return reject(new Error(data.problem));
        const lists = Array.from({ length: data.lists }, (_, list) =>
          parts.flatMap(({ of, part }) => (of === list ? part : [])),
        );
        resolve((asked.kind === "document" ? lists : lists[0]) as Work[K]["answer"]);
      };
      if (signal.aborted) reject(signal.reason);
      else worker.postMessage(asked);
    });
  } finally {
    worker.terminate();
  }
}

/** Start a worker: it says that it is ready, or could not be loaded. */
function startWorker(): Promise<Worker> {
  const worker = new Worker(policy?.createScriptURL(address) ?? address, { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve(worker);
    worker.onerror = () => reject(new Error(`cannot load ${address}`));
  });
}
