import { InfiniteQueryObserver, QueryObserver } from "@tanstack/react-query";
import { expect, it, onTestFinished, vi } from "vitest";
import { unreachableError } from "@/api/problem";
import { jobKeys } from "@/api/query-keys";
import type { Job, Page } from "@/api/types";
import { aChange, aJob } from "@/testing/factories";
import { FakeEventSource } from "@/testing/fake-event-source";
import { withLiveStream } from "@/testing/live";
import { liveStatus } from "./live-status";

const live = withLiveStream();
const queryKey = jobKeys.list({});

const shown = () => live.client.getQueryData<{ pages: { items: Job[] }[] }>(queryKey)?.pages[0]?.items[0];
const source = () => FakeEventSource.last;
const frame = () => vi.advanceTimersByTimeAsync(20);

/** Read a list as a page that shows it does; `answer` answers the read that is under way, by a job of this version. */
function read(): { answer: (version: number) => void } {
  const asked: ((page: Page<Job>) => void)[] = [];
  const queryFn = () => new Promise<Page<Job>>((resolve) => asked.push(resolve));
  const options = { queryKey, queryFn, initialPageParam: "", getNextPageParam: () => undefined };
  onTestFinished(new InfiniteQueryObserver(live.client, options).subscribe(() => undefined));
  return { answer: (version) => asked.shift()?.({ items: [aJob({ version })], next_page_token: undefined }) };
}

it("changes reach what was being read when they came", async () => {
  const { answer } = read();
  source().emit("job-changed", aChange({ version: 2, status: "COMPLETED" }));
  await frame();
  answer(1);
  await frame();
  expect(shown()).toMatchObject({ status: "COMPLETED", version: 2 });
});

it("the stream has what was being read when it began read once more, since changes may have been missed", async () => {
  const first = read();
  source().emit("hello", { cursor: 8 });
  first.answer(1);
  await frame();
  expect(liveStatus.get().state).toBe("connecting");
  first.answer(2);
  await frame();
  expect(shown()).toMatchObject({ version: 2 });
  expect(liveStatus.get().state).toBe("live");
});

it.each([
  ["was given up", 10_000],
  ["waits to be tried again", 100],
])("what failed in an outage is read again once the stream is back, also where it %s", async (_, afterMs) => {
  source().emit("hello", { cursor: 8 });
  await frame();
  let isAway = true;
  const queryFn = vi.fn(async () => {
    if (isAway) throw unreachableError();
    return "limits";
  });
  const observer = new QueryObserver(live.client, { queryKey: ["limits"], queryFn });
  onTestFinished(observer.subscribe(() => undefined));
  source().emitError();
  await vi.advanceTimersByTimeAsync(afterMs);
  isAway = false;
  source().emitOpen();
  await frame();
  expect(observer.getCurrentResult()).toMatchObject({ data: "limits", status: "success" });
});
