import type { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, vi } from "vitest";
import { LiveStream } from "@/live/live-stream";
import { createQueryClient } from "@/live/query-client";
import { FakeEventSource } from "./fake-event-source";

/** Open the live stream of a visible tab before each test, on a client that `prepare` fills; the clock is a fake one. */
export function withLiveStream(prepare: (client: QueryClient) => void = () => undefined) {
  const live = { client: createQueryClient(), stop: (): void => undefined };
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
    FakeEventSource.opened = [];
    live.client = createQueryClient();
    prepare(live.client);
    live.stop = new LiveStream(live.client, (address) => new FakeEventSource(address)).start();
    FakeEventSource.last.emitOpen();
  });
  afterEach(() => {
    live.stop();
    live.client.clear();
    vi.useRealTimers();
  });
  return live;
}
