import { keepAll } from "./kept";
import { createObservable } from "./observable";

const PROBE_EVERY_MS = 2_000;
const RELOADED = "signoff.reloaded";

/** Whether the server answers, as far as the event stream knows. */
export const reachable = createObservable(true);

let isReloading = false;
/** Return whether the page is about to load itself anew: nobody is asked whether to leave. */
export const isLoadingAnew = (): boolean => isReloading;

/**
 * Load a part of the page, also through an outage. A browser may keep the failure of a module for as long as the page
 * lives, and a part of an older version is not there any more: what fails again although the server answers is loaded
 * with the page itself, once, and what was filled in is kept. Rejects where that did not help.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  try {
    if (!reachable.get()) await waitUntilServed();
    return await load();
  } catch {
    await waitUntilServed();
  }
  try {
    return await load();
  } catch (error) {
    const failed = JSON.parse(sessionStorage.getItem(RELOADED) ?? "[]") as string[];
    if (failed.includes(String(error))) throw error;
    keepAll();
    sessionStorage.setItem(RELOADED, JSON.stringify([...failed, String(error)]));
    isReloading = true;
    location.reload();
    return new Promise(() => undefined);
  }
}

async function waitUntilServed(): Promise<void> {
  while (!(await isServed())) await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
}

async function isServed(): Promise<boolean> {
  try {
    return (await fetch("/icon.svg", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
