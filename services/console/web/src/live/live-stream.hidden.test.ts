import { afterEach, expect, it } from "vitest";
import { jobKeys } from "@/api/query-keys";
import { FakeEventSource } from "@/testing/fake-event-source";
import { liveStatus } from "./live-status";
import { LiveStream } from "./live-stream";
import { createQueryClient } from "./query-client";

const client = createQueryClient();
const stop = new LiveStream(client, (address) => new FakeEventSource(address)).start();
afterEach(() => stop());

it("says that the jobstore is away, and reads everything anew when it is back", async () => {
  const list = jobKeys.list({});
  const source = FakeEventSource.last;
  source.emitOpen();
  expect(liveStatus.get().state).toBe("connecting");
  source.emit("hello", { cursor: 1 });
  await expect.poll(() => liveStatus.get().state).toBe("live");
  client.setQueryData(list, { pages: [], pageParams: [] });
  source.emit("ping", { cursor: 1, jobstore: false });
  expect(liveStatus.get().state).toBe("jobstore-away");
  const problem = { database: "Signoff cannot write to its database: its disk is full", remedy: "free space" };
  source.emit("ping", { cursor: 1, jobstore: true, ...problem });
  expect(liveStatus.get()).toMatchObject({ state: "database-away", problem: problem.database, remedy: "free space" });
  source.emit("ping", { cursor: 1, jobstore: true });
  expect(liveStatus.get().state).toBe("live");
  expect(client.getQueryState(list)?.isInvalidated).toBe(true);
});
