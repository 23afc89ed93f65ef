import { describe, expect, it, vi } from "vitest";
import { jobKeys } from "@/api/query-keys";
import type { Job } from "@/api/types";
import { aChange, aJob, aLog } from "@/testing/factories";
import { FakeEventSource } from "@/testing/fake-event-source";
import { withLiveStream } from "@/testing/live";
import { applyJob } from "./apply-changes";
import { liveStatus } from "./live-status";
import { HIDDEN_MAX_MS, POLL_AFTER_MS, SILENCE_MAX_MS } from "./live-stream";
import { unseenJobs } from "./unseen-jobs";

const FRAME_MS = 20;
const list = jobKeys.list({});
const live = withLiveStream((client) => {
  const items = [aJob(), aJob({ id: "song" })];
  client.setQueryData(list, { pages: [{ items, next_page_token: null }], pageParams: [""] });
  client.setQueryData(jobKeys.detail("poem"), aJob());
  client.setQueryData(jobKeys.logs("poem"), { items: [aLog({ version: 1 })], isCut: false });
});

const rows = () => live.client.getQueryData<{ pages: { items: Job[] }[] }>(list)?.pages[0]?.items ?? [];
const source = () => FakeEventSource.last;
const say = (fields: Parameters<typeof aChange>[0]) => source().emit("job-changed", aChange(fields));
const frame = () => vi.advanceTimersByTimeAsync(FRAME_MS);

function setVisibility(state: DocumentVisibilityState): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  document.dispatchEvent(new Event("visibilitychange"));
}

describe("changes", () => {
  it("change a row where it stands, in lists, details and logs", async () => {
    say({ version: 2, progress: 0.4, log: { kind: "progress" } });
    await frame();
    expect(rows().map((job) => job.id)).toEqual(["poem", "song"]);
    const told = { status: "IN_PROGRESS", version: 2, progress: 0.4 };
    expect(rows()[0]).toMatchObject({ ...told, last_log: { version: 2, kind: "progress" } });
    expect(live.client.getQueryData<Job>(jobKeys.detail("poem"))?.version).toBe(2);
    expect(live.client.getQueryData<{ items: unknown[] }>(jobKeys.logs("poem"))?.items).toHaveLength(2);
  });

  it("tell what was spent, and keep it where they do not", async () => {
    say({ version: 2, cost_usd: "0.5", tokens: 900, agent_id: "ocr" });
    say({ version: 3, agent_id: "ocr" });
    await frame();
    expect(rows()[0]).toMatchObject({ version: 3, cost_usd: "0.5", tokens: 900, agent_id: "ocr" });
  });

  it("are applied once however often they are repeated", async () => {
    for (const version of [2, 2, 3, 2, 3]) say({ version });
    await frame();
    expect(live.client.getQueryData<{ items: unknown[] }>(jobKeys.logs("poem"))?.items).toHaveLength(3);
  });

  it("that arrive in another order end at the newest", async () => {
    say({ version: 4, status: "COMPLETED" });
    say({ version: 3 });
    say({ version: 2 });
    await frame();
    expect(rows()[0]).toMatchObject({ status: "COMPLETED", version: 4 });
    say({ version: 3 });
    await frame();
    expect(rows()[0]).toMatchObject({ status: "COMPLETED", version: 4 });
  });

  it("with a gap leave the log to be read anew", async () => {
    say({ version: 5, status: "COMPLETED" });
    await frame();
    expect(live.client.getQueryData<{ items: unknown[] }>(jobKeys.logs("poem"))?.items).toHaveLength(1);
    expect(live.client.getQueryState(jobKeys.logs("poem"))?.isInvalidated).toBe(true);
  });

  it("of new jobs wait until they are asked for", async () => {
    say({ job_id: "new", version: 1, status: "PENDING" });
    say({ job_id: "old", version: 7 });
    await frame();
    expect([...unseenJobs.get()]).toEqual(["new"]);
    expect(rows()).toHaveLength(2);
  });

  it("take away the job that they remove, and nothing brings it back", async () => {
    say({ version: 2, status: "COMPLETED", log: { kind: "removed" } });
    await frame();
    expect(rows().map((job) => job.id)).toEqual(["song"]);
    expect(live.client.getQueryData(jobKeys.detail("poem"))).toBeUndefined();
    expect(live.client.getQueryData(jobKeys.logs("poem"))).toBeUndefined();
    say({ version: 2, status: "COMPLETED", log: { kind: "removed" } });
    await frame();
    expect(rows()).toHaveLength(1);
    expect(unseenJobs.get().size).toBe(0);
  });

  it("in a burst of 10,000 are one update of the list a frame", async () => {
    let updates = 0;
    const unsubscribe = live.client.getQueryCache().subscribe(({ type, query }) => {
      if (type === "updated" && query.queryKey[1] === "list") updates += 1;
    });
    for (let version = 2; version < 10_002; version += 1) say({ version });
    await frame();
    unsubscribe();
    expect(rows()[0]?.version).toBe(10_001);
    expect(updates).toBeLessThanOrEqual(1);
  });

  it("are not undone by a request that began before them", async () => {
    say({ version: 3, status: "COMPLETED" });
    await frame();
    live.client.setQueryData(list, {
      pages: [{ items: [aJob({ version: 2 })], next_page_token: null }],
      pageParams: [""],
    });
    live.client.setQueryData(jobKeys.detail("poem"), aJob({ version: 2 }));
    expect(rows()[0]).toMatchObject({ status: "COMPLETED", version: 3 });
    expect(live.client.getQueryData<Job>(jobKeys.detail("poem"))?.version).toBe(3);
  });

  it("meet a mutation's answer in either order", async () => {
    applyJob(live.client, aJob({ version: 2, status: "ASSIGNED" }));
    say({ version: 3 });
    await frame();
    expect(rows()[0]?.version).toBe(3);
    applyJob(live.client, aJob({ version: 2, status: "ASSIGNED" }));
    expect(rows()[0]).toMatchObject({ version: 3, status: "IN_PROGRESS" });
    expect(live.client.getQueryData<Job>(jobKeys.detail("poem"))?.version).toBe(3);
  });

  it("reach a hidden tab, where there are no frames", async () => {
    setVisibility("hidden");
    vi.spyOn(globalThis, "requestAnimationFrame").mockReturnValue(0);
    say({ version: 2 });
    await vi.advanceTimersByTimeAsync(300);
    expect(rows()[0]?.version).toBe(2);
  });
});

describe("the stream", () => {
  it("goes on behind the last event, after a while that grows", async () => {
    say({ version: 2, cursor: 41 });
    source().emitError();
    expect(liveStatus.get().state).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(1_100);
    expect(source().address).toBe("/api/events?after=41");
    source().emitError();
    await vi.advanceTimersByTimeAsync(900);
    expect(FakeEventSource.opened).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_200);
    source().emitOpen();
    expect(liveStatus.get().state).toBe("live");
  });

  it("is dead when it says nothing, whatever the browser believes", async () => {
    source().emit("hello", { cursor: 8 });
    await vi.advanceTimersByTimeAsync(SILENCE_MAX_MS - 1);
    source().emit("ping", { cursor: 9, at: "" });
    await vi.advanceTimersByTimeAsync(SILENCE_MAX_MS - 1);
    expect(liveStatus.get().state).toBe("live");
    await vi.advanceTimersByTimeAsync(1_500);
    expect(FakeEventSource.opened[0]?.isClosed).toBe(true);
    expect(source().address).toBe("/api/events?after=9");
  });

  it("is closed when nobody has looked for long, and comes back with them", async () => {
    say({ version: 2, cursor: 5 });
    setVisibility("hidden");
    await vi.advanceTimersByTimeAsync(HIDDEN_MAX_MS);
    expect(source().isClosed).toBe(true);
    expect(liveStatus.get().state).toBe("paused");
    setVisibility("visible");
    expect(source().address).toBe("/api/events?after=5");
  });

  it("reads everything anew after a reset", async () => {
    say({ version: 2 });
    source().emit("reset", { cursor: 100 });
    await vi.advanceTimersByTimeAsync(2_100);
    expect(live.client.getQueryState(list)?.isInvalidated).toBe(true);
    source().emitError();
    await vi.advanceTimersByTimeAsync(1_100);
    expect(source().address).toBe("/api/events?after=100");
  });

  it("is replaced by asking when it stays away", async () => {
    source().emitError();
    await vi.advanceTimersByTimeAsync(POLL_AFTER_MS - 1_000);
    expect(live.client.getQueryState(list)?.isInvalidated).toBe(false);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(live.client.getQueryState(list)?.isInvalidated).toBe(true);
  });

  it("is closed for good when the page goes", () => {
    live.stop();
    expect(source().isClosed).toBe(true);
  });
});
