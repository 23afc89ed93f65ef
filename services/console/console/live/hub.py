"""One watch of the jobstore, fanned out to everybody who looks."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

import grpc

from console.live.changes import Change, frame
from console.live.viewer import Viewer
from contracts.client import JobStoreClient, JobStoreError, WatchEvent

log = logging.getLogger(__name__)

RETRY_S = 1.0
PING_S = 15.0
#: How often the jobstore is asked whether it is there: a stream that hears nothing of it looks like one that is quiet.
ASKED_EVERY_S = 3.0
RING_MAX = 10_000
QUEUED_MAX = 1_000


class LiveError(Exception):
    """There can be no stream now; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Live:
    """Remembers the latest changes, so that whoever comes back soon is served from memory."""

    def __init__(
        self,
        jobstore: JobStoreClient,
        *,
        viewers_max: int = 1_000,
        ring_max: int = RING_MAX,
        queued_max: int = QUEUED_MAX,
        ping_s: float = PING_S,
    ) -> None:
        self.cursor: int | None = None
        self._base = 0  # the ring holds everything behind it
        self._ring: deque[Change] = deque(maxlen=ring_max)
        self._jobstore = jobstore
        self._viewers: set[Viewer] = set()
        self._viewers_max, self._queued_max, self._ping_s = viewers_max, queued_max, ping_s
        self._is_closed = False

    async def run(self) -> None:
        """Watch for ever, and ping whoever looks."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._ping())

    def enter(self, job_id: str | None, after: int | None) -> Viewer:
        """Open a stream of all jobs or of one; behind the cursor `after`, or from now on."""
        cursor, viewer = self._entered(job_id)
        if after is None:
            viewer.go_live(cursor)
            viewer.offer(frame("hello", {"cursor": cursor}, cursor))
        else:
            viewer.feeding = asyncio.create_task(self._catch_up(viewer, after))
        return viewer

    def follow(self, frames: AsyncGenerator[bytes]) -> Viewer:
        """Open a stream that is told these frames, and ends with them; it is told of no job."""
        _, viewer = self._entered(None)
        viewer.feeding = asyncio.create_task(_told(viewer, frames))
        return viewer

    def _entered(self, job_id: str | None) -> tuple[int, Viewer]:
        if self.cursor is None or self._is_closed:
            raise LiveError("unavailable", "The jobstore cannot be watched now.")
        if len(self._viewers) >= self._viewers_max:
            raise LiveError("too_many_viewers", f"{self._viewers_max} streams are open already.")
        viewer = Viewer(job_id, self._queued_max)
        self._viewers.add(viewer)
        return self.cursor, viewer

    def leave(self, viewer: Viewer) -> None:
        """The stream is over."""
        self._viewers.discard(viewer)
        if viewer.feeding is not None:
            viewer.feeding.cancel()

    def close(self) -> None:
        """End all streams; open no more."""
        self._is_closed = True
        for viewer in self._viewers:
            viewer.end()

    async def _watch(self) -> None:
        while True:
            try:
                await self._watch_on()
            except JobStoreError as error:
                log.warning("cannot watch the jobstore", extra={"code": error.code, "reason": error.message})
                if error.grpc_status is grpc.StatusCode.OUT_OF_RANGE:
                    self.cursor = None
            await asyncio.sleep(RETRY_S)

    async def _watch_on(self) -> None:
        if self.cursor is None:
            self._begin(await self._jobstore.get_latest_cursor())
        async with aclosing(self._jobstore.watch_jobs(after=self.cursor, with_payloads=False)) as events:
            async for event in events:
                self._publish(event)

    def _begin(self, cursor: int) -> None:
        """Nothing connects what comes now with what was told before."""
        self.cursor = self._base = cursor
        self._ring.clear()
        for viewer in self._viewers:
            if viewer.is_live:
                self._reset(viewer)
            else:
                viewer.end()

    def _reset(self, viewer: Viewer) -> None:
        """Tell a viewer to look at everything anew; it goes on from now."""
        if self.cursor is not None:
            viewer.go_live(self.cursor)
            viewer.offer(frame("reset", {"cursor": self.cursor}, self.cursor))

    def _publish(self, event: WatchEvent) -> None:
        if event.log is None or self.cursor is None:
            return
        if event.cursor <= self.cursor:  # the broker came back empty, and counts anew
            self._begin(event.cursor - 1)
        change = Change.of(event.log)
        if len(self._ring) == self._ring.maxlen:
            self._base = self._ring[0].cursor
        self._ring.append(change)
        self.cursor = change.cursor
        for viewer in self._viewers:
            viewer.tell(change)

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        pinged_at, is_heard = loop.time(), True
        while True:
            await asyncio.sleep(min(ASKED_EVERY_S, self._ping_s))
            was_heard, is_heard = is_heard, await self._jobstore.is_serving()
            if was_heard != is_heard or loop.time() - pinged_at >= self._ping_s:
                pinged_at = loop.time()
                data = {"at": datetime.now(UTC), "jobstore": is_heard}
                for viewer in self._viewers:
                    viewer.ping(self.cursor or 0, data)

    async def _catch_up(self, viewer: Viewer, after: int) -> None:
        try:
            await self._feed(viewer, after)
        except JobStoreError as error:
            if error.grpc_status is grpc.StatusCode.OUT_OF_RANGE:
                self._reset(viewer)
        finally:
            if not viewer.is_live:
                viewer.end()

    async def _feed(self, viewer: Viewer, after: int) -> None:
        assert self.cursor is not None
        if after > self.cursor and after > await self._jobstore.get_latest_cursor():
            self._reset(viewer)
            return
        while self.cursor is not None and after < self.cursor:
            if after < self._base:
                after = await self._feed_stored(viewer, after)
                continue
            for change in [change for change in self._ring if change.cursor > after]:
                await viewer.feed(change)
                after = change.cursor
        viewer.go_live(after)

    async def _feed_stored(self, viewer: Viewer, after: int) -> int:
        """Tell what is no longer remembered here, until it meets what is; the cursor reached."""
        async with aclosing(self._jobstore.watch_jobs(after=after, with_payloads=False)) as events:
            async for event in events:
                if event.log is not None:
                    await viewer.feed(Change.of(event.log))
                if event.cursor >= self._base:
                    return event.cursor
        raise AssertionError


async def _told(viewer: Viewer, frames: AsyncGenerator[bytes]) -> None:
    """Pass on what comes, until nothing more does; a viewer that is cut off for an error comes back."""
    try:
        async with aclosing(frames):
            async for data in frames:
                viewer.offer(data)
    except JobStoreError as error:
        log.warning("cannot go on with a stream", extra={"code": error.code, "reason": error.message})
    finally:
        viewer.end()
