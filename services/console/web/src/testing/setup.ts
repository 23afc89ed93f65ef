import { chooseTenant } from "@/api/tenants";
import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll } from "vitest";
import { forgetList } from "@/jobs/list/state/list-memory";
import { liveStatus } from "@/live/live-status";
import { unseenJobs } from "@/live/unseen-jobs";
import { shownToasts } from "@/ui/feedback/toast";
import { server } from "./server";
import { FakeWorker } from "./worker";

configure({ asyncUtilTimeout: 5_000 });

// jsdom lays nothing out: every box is as large as a screen, and a line high.
Object.defineProperties(Element.prototype, {
  clientHeight: { get: () => 800 },
  clientWidth: { get: () => 1_200 },
});
Object.defineProperty(HTMLElement.prototype, "offsetHeight", { get: () => 22 });
globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
} as typeof ResizeObserver;
globalThis.Worker = FakeWorker as unknown as typeof Worker;
Element.prototype.hasPointerCapture = () => false;
Element.prototype.scrollIntoView = () => undefined;
Element.prototype.scrollTo = () => undefined;
Range.prototype.getClientRects = () => [] as unknown as DOMRectList;

beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => {
  cleanup();
  server.resetHandlers();
  localStorage.clear();
  chooseTenant(null);
  liveStatus.reset();
  unseenJobs.clear();
  forgetList();
  for (const { id } of shownToasts.get()) shownToasts.close(id);
});
afterAll(() => server.close());
