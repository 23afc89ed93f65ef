"""Fan one watch of the jobstore out to all open event streams."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

import grpc

from console.live.changes import Change, make_frame
from console.live.viewer import Viewer
from servicekit.outages import DATABASE_OUTAGES
from signoff import AsyncClient, SignoffError, WatchEvent
from signoff.errors import ErrorCode
from signoff.times import time_text

log = logging.getLogger(__name__)

#: The wait before a watch that failed is begun again.
RETRY_S = 1.0
#: The longest time in which a stream sends nothing.
PING_S = 15.0
#: How often the jobstore's health is checked: a watch that lost its jobstore looks like one that is quiet.
HEALTH_CHECK_S = 3.0
#: Changes kept in memory, for viewers that come back.
RING_MAX = 10_000
#: How long the jobstore is watched for nobody: who comes back later reads from the jobstore what happened meanwhile.
UNSEEN_MAX_S = 10.0
#: Entries of one job's log that are read at once.
LOGS_PAGE = 500
#: How long a stream of the jobstore is kept open for a viewer that takes nothing.
UNREAD_MAX_S = 1.0
#: Events queued for one viewer; a viewer with more is cut off.
QUEUED_MAX = 1_000


class StreamRefusedError(Exception):
    """A stream cannot be opened now; `code` says why."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class LiveHub:
    """Send changes to viewers, and keep the latest, so that a viewer that comes back soon is served from memory.

    While nobody looks for long, nothing is watched.
    """

    def __init__(
        self,
        jobstore: AsyncClient,
        *,
        viewers_max: int = 1_000,
        ring_max: int = RING_MAX,
        queued_max: int = QUEUED_MAX,
        ping_s: float = PING_S,
        unseen_max_s: float = UNSEEN_MAX_S,
    ) -> None:
        self.cursor: int | None = None  # of the latest change; None while the jobstore cannot be watched
        self._base = 0  # the cursor after which the ring holds every change
        self._ring: deque[Change] = deque(maxlen=ring_max)
        self._jobstore = jobstore.reading(lambda message: message)  # most entries are looked at by nobody
        self._viewers: set[Viewer] = set()
        self._viewers_max, self._queued_max, self._ping_s = viewers_max, queued_max, ping_s
        self._is_closed = False
        self._unseen_max_s, self._unseen_since = unseen_max_s, time.monotonic()
        self._awake, self._waking = asyncio.Event(), asyncio.Lock()
        self._awake.set()

    async def run(self) -> None:
        """Watch the jobstore while anybody looks, and ping the viewers, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._ping())

    async def enter(self, job_id: str | None, after: int | None) -> Viewer:
        """Open a stream of all jobs or of one, after a cursor or from now on. Raise StreamRefusedError."""
        await self._wake()
        cursor, viewer = self._admit(job_id)
        if after is None:
            viewer.go_live(cursor)
            viewer.enqueue(make_frame("hello", {"cursor": cursor}, cursor))
        else:
            viewer.feeder = asyncio.create_task(self._catch_up(viewer, after))
        return viewer

    async def follow(self, frames: AsyncGenerator[bytes]) -> Viewer:
        """Open a stream of these frames alone, which ends with them. Raise StreamRefusedError."""
        _, viewer = self._admit(None)
        viewer.feeder = asyncio.create_task(_forward(viewer, frames))
        return viewer

    async def _wake(self) -> None:
        """Watch again, from now on, if nobody has looked for long."""
        async with self._waking:
            if not self._awake.is_set():
                try:
                    self._begin_at(await self._jobstore.get_latest_cursor())
                except SignoffError as error:
                    raise _make_unavailable() from error
                self._awake.set()

    def _admit(self, job_id: str | None) -> tuple[int, Viewer]:
        if self.cursor is None or self._is_closed:
            raise _make_unavailable()
        if len(self._viewers) >= self._viewers_max:
            raise StreamRefusedError(ErrorCode.TOO_MANY_VIEWERS, f"{self._viewers_max} streams are open already.")
        viewer = Viewer(job_id, self._queued_max)
        self._viewers.add(viewer)
        return self.cursor, viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer whose stream is over."""
        self._viewers.discard(viewer)
        self._unseen_since = time.monotonic()
        if viewer.feeder is not None:
            viewer.feeder.cancel()

    def close(self) -> None:
        """End all streams, and open no more."""
        self._is_closed = True
        for viewer in self._viewers:
            viewer.end()

    async def _watch(self) -> None:
        while True:
            await self._awake.wait()
            try:
                await self._watch_once()
            except SignoffError as error:
                log.warning(
                    "cannot watch the jobstore; will retry", extra={"code": error.code, "reason": error.message}
                )
                if error.grpc_status is grpc.StatusCode.OUT_OF_RANGE:  # our cursor was never published there
                    self.cursor = None
            if self._awake.is_set():
                await asyncio.sleep(RETRY_S)

    async def _watch_once(self) -> None:
        if self.cursor is None:
            self._start_at(await self._jobstore.get_latest_cursor())
        async with aclosing(self._jobstore.watch_jobs(after=self.cursor)) as events:
            async for event in events:
                self._publish(event)
                if not self._viewers and time.monotonic() - self._unseen_since > self._unseen_max_s:
                    self._awake.clear()
                    return

    def _begin_at(self, cursor: int) -> None:
        self.cursor = self._base = cursor
        self._ring.clear()

    def _start_at(self, cursor: int) -> None:
        """Start anew at a cursor: earlier changes are dropped, and viewers must read everything again."""
        self._begin_at(cursor)
        for viewer in self._viewers:
            if viewer.is_live:
                self._reset(viewer)
            else:
                viewer.end()

    def _reset(self, viewer: Viewer) -> None:
        """Make a viewer read everything again, and go on from now."""
        if self.cursor is not None:
            viewer.go_live(self.cursor)
            viewer.enqueue(make_frame("reset", {"cursor": self.cursor}, self.cursor))

    def _publish(self, event: WatchEvent) -> None:
        if event.log is None or self.cursor is None:
            return
        if event.cursor <= self.cursor:  # the broker came back empty, and the relay counts anew
            self._start_at(event.cursor - 1)
        change = Change(event.log)
        if len(self._ring) == self._ring.maxlen:
            self._base = self._ring[0].cursor
        self._ring.append(change)
        self.cursor = change.cursor
        for viewer in self._viewers:
            viewer.push(change)

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        pinged_at, code = loop.time(), None
        while True:
            await asyncio.sleep(min(HEALTH_CHECK_S, self._ping_s))
            code_before, code = code, await self._jobstore.find_outage()
            if code_before != code or loop.time() - pinged_at >= self._ping_s:
                pinged_at, outage = loop.time(), DATABASE_OUTAGES.get(code or "")
                data = {"at": time_text(datetime.now(UTC)), "jobstore": code is None or outage is not None}
                if outage is not None:
                    data |= {"database": str(outage), "remedy": outage.remedy}
                for viewer in self._viewers:
                    viewer.ping(self.cursor, data)

    async def _catch_up(self, viewer: Viewer, after: int) -> None:
        try:
            await self._feed(viewer, after)
        except SignoffError as error:
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
                feed_stored = self._feed_stored if viewer.job_id is None else self._feed_stored_of_job
                after = await feed_stored(viewer, after)
                continue
            for change in [change for change in self._ring if change.cursor > after]:
                await viewer.feed(change)
                after = change.cursor
        viewer.go_live(after)

    async def _feed_stored(self, viewer: Viewer, after: int) -> int:
        """Feed changes that the ring no longer holds, from the jobstore, as long as they are taken.

        Return the cursor reached. So who reads nothing costs the jobstore nothing.
        """
        await viewer.wait_for_room()
        async with aclosing(self._jobstore.watch_jobs(after=after)) as events:
            async for event in events:
                if event.log is not None and not await viewer.feed(Change(event.log), UNREAD_MAX_S):
                    break
                after = event.cursor
                if after >= self._base:
                    break
        return after

    async def _feed_stored_of_job(self, viewer: Viewer, after: int) -> int:
        """Feed the changes of the viewer's job up to now, from the log of that job alone; return the cursor of now."""
        assert viewer.job_id is not None
        assert self.cursor is not None
        until, token = self.cursor, None  # taken before the log is read, which so holds all up to it
        while token != "":
            logs, token = await self._jobstore.list_job_logs(viewer.job_id, page_size=LOGS_PAGE, page_token=token or "")
            for change in [Change(entry) for entry in logs if after < entry.cursor <= until]:
                await viewer.feed(change)
        return until


def _make_unavailable() -> StreamRefusedError:
    return StreamRefusedError(ErrorCode.UNAVAILABLE, "The jobstore cannot be watched now.")


async def _forward(viewer: Viewer, frames: AsyncGenerator[bytes]) -> None:
    """Forward frames until they end. On an error the stream ends too, and the browser opens it again."""
    try:
        async with aclosing(frames):
            async for data in frames:
                viewer.enqueue(data)
    except SignoffError as error:
        log.warning("the jobstore failed; an event stream ends", extra={"code": error.code, "reason": error.message})
    finally:
        viewer.end()
