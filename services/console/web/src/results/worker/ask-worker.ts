import { loadPart } from "@/lib/load-part";
import { WORK_TIMEOUT_MS } from "@/results/model/limits";
import type { Asked, Kind, Work } from "./answer";
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

/** Ask a worker of its own, which ends with its answer; rejects where there is none in time. */
export async function askWorker<K extends Kind>(asked: Asked<K>, signal: AbortSignal): Promise<Work[K]["answer"]> {
  const worker = await loadPart(startWorker);
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("it takes too long")), WORK_TIMEOUT_MS);
      signal.addEventListener("abort", () => reject(signal.reason));
      signal.addEventListener("abort", () => clearTimeout(timer));
      worker.onmessage = ({ data }) => {
        clearTimeout(timer);
        if ("answer" in data) resolve(data.answer);
        else reject(new Error(data.problem));
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
