"""Live changes: one watch of the jobstore, fanned out to all open event streams as server-sent events."""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

import grpc
from prometheus_client import Gauge
from pydantic import BaseModel, Field
from pydantic_core import to_json

from console.errors import ProblemError
from servicekit.errors import DATABASE_OUTAGES
from servicekit.leasing.slots import is_scarce, may_have_more
from signoff import AsyncClient, SignoffError, WatchEvent
from signoff.errors import ErrorCode
from signoff.fields import Open, SumOfMoney, Time
from signoff.identity import Caller
from signoff.status import JobLogStatus, JobStatus
from signoff.types import JobLog, read_model
from signoff.values import time_text

log = logging.getLogger(__name__)

VIEWERS = Gauge("signoff_http_viewers", "Open event streams")

#: A longer message of a log's entry is cut in events.
MESSAGE_MAX_CHARS = 500
#: How long a browser waits before it opens a lost stream again.
RETRY_MS = 1_000
_LEFT_OUT = {"event_id", "lease", "tenant", "request", "payload", "before", "after", "result", "partial", "verdict"}


class JobNow(BaseModel):
    """A job as a transition left it: what transitions change. What is left out is as it was before.

    But without `agent_id` it has no agent, and without `progress` none, nor a message of it.
    """

    id: str
    status: Open[JobStatus]
    version: int
    agent_id: str | None = None
    progress: float | None = None
    cost_usd: SumOfMoney
    tokens: int
    live: bool | None = Field(None, description="whether an execution is asked for or under way")
    updated_at: Time
    execution_id: UUID | None = None
    submission: int | None = None
    progress_message: str | None = None

    @classmethod
    def of(cls, log: JobLog) -> "JobNow":
        """Return the job as the transition in a log entry left it."""
        changed: dict[str, Any] = {}
        # A result that comes after its execution was cancelled does not describe the one that is live by now.
        if not (log.kind == "result" and log.status is JobLogStatus.CANCELLED):
            is_requested = log.status is JobLogStatus.ASSIGNED and log.execution_id is not None
            changed["live"] = log.job_status is JobStatus.IN_PROGRESS or is_requested
            if log.execution_id is not None:
                changed |= {"execution_id": log.execution_id, "submission": log.submission}
        if log.kind == "progress" or log.progress is None:
            changed["progress_message"] = log.message if log.kind == "progress" else None
        return cls(
            id=log.job_id,
            status=log.job_status,
            version=log.version,
            agent_id=log.agent_id,
            progress=log.progress,
            cost_usd=log.cost_usd or Decimal(0),
            tokens=log.tokens or 0,
            updated_at=log.created_at,
            **changed,
        )


class JobChange(BaseModel):
    """The data of a `job-changed` event. Apply it only if `version` is above the one you have."""

    cursor: int
    job_id: str
    tenant: str | None = Field(None, description="whose the job is")
    version: int
    job: JobNow
    log: JobLog = Field(description="without payloads, and without what is null; a long message is cut")

    @classmethod
    def of(cls, log: JobLog) -> "JobChange":
        """Return the change that is sent to viewers for an entry of a job's log."""
        cut = log.model_copy(update={"message": log.message and log.message[:MESSAGE_MAX_CHARS]})
        return cls(
            cursor=log.cursor,
            job_id=log.job_id,
            tenant=log.tenant,
            version=log.version,
            job=JobNow.of(log),
            log=cut,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields to send, as values of JSON, without nulls and without what did not change."""
        return {
            "cursor": self.cursor,
            "job_id": self.job_id,
            "tenant": self.tenant,
            "version": self.version,
            "job": self.job.model_dump(mode="json", exclude_none=True),
            "log": self.log.model_dump(mode="json", exclude=_LEFT_OUT, exclude_none=True),
        }


class StreamPlace(BaseModel):
    """The data of `hello`, the place at which a new stream begins, and of `reset`, which cannot go on where it was."""

    cursor: int


class StreamPing(BaseModel):
    """The data of a `ping`."""

    cursor: int | None = Field(None, description="where the stream goes on; not while it catches up")
    at: Time
    jobstore: bool = Field(description="whether the jobstore is there")
    database: str | None = Field(None, description="why the jobstore cannot write to its database, if it cannot")
    remedy: str | None = Field(None, description="what to do about that")


class Change:
    """One change of a job for viewers, made of a log entry, or of its message, which is parsed if a viewer needs it."""

    def __init__(self, entry: Any) -> None:
        self.cursor: int = entry.cursor
        self.job_id: str = entry.job_id
        self.tenant: str = entry.tenant
        self._entry = entry

    @cached_property
    def frame(self) -> bytes:
        """The bytes of the server-sent event that tells of the change."""
        log = self._entry if isinstance(self._entry, JobLog) else read_model(self._entry)
        return make_frame("job-changed", JobChange.of(log).to_dict(), self.cursor)


def make_frame(event: str, data: dict[str, Any], cursor: int | None = None) -> bytes:
    """Return the bytes of a server-sent event. `cursor`, if given, is its id, after which a client can resume."""
    place = b"" if cursor is None else b"id: %d\n" % cursor
    given = {name: value for name, value in data.items() if value is not None}
    return b"%sevent: %s\ndata: %s\n\n" % (place, event.encode(), to_json(given))


#: Opens every stream: how long a reader waits before it comes back.
OPENING = b"retry: %d\n\n" % RETRY_MS

#: Frames of the past that are queued for one viewer, which may read nothing for long.
FED_MAX = 100


class Viewer:
    """The queue of one stream. A viewer that reads too slowly is cut off; its client resumes after its last event.

    A viewer of some tenants is told cursors of changes of these alone: those of others would tell how much these do.
    """

    def __init__(self, job_id: str | None, frames_max: int, tenants: frozenset[str] | None = None) -> None:
        """Make a viewer of the changes of a job (None: of all), within tenants (None: all)."""
        self.ended = asyncio.Event()
        self.position: int | None = None
        self.feeder: asyncio.Task[None] | None = None
        self.job_id, self.tenants = job_id, tenants
        self.token: str | None = None
        self.place = 0
        self._frames = deque([OPENING])
        self._frames_max, self._fed_max = frames_max, min(FED_MAX, frames_max)
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._has_taken = True

    @property
    def is_live(self) -> bool:
        """Whether the viewer has caught up, and is sent changes as they happen."""
        return self.position is not None

    @property
    def _is_full(self) -> bool:
        return len(self._frames) >= self._fed_max

    def go_live(self, position: int) -> None:
        """Make the viewer live: from now on, it is sent changes after the cursor `position` as they happen."""
        self.position = position

    def is_watching(self, change: Change) -> bool:
        """Return whether the viewer watches the job of a change."""
        return self.job_id in {None, change.job_id} and (self.tenants is None or change.tenant in self.tenants)

    def push(self, change: Change) -> None:
        """Queue a new change if the viewer is live, watches the job of the change, and has not had the change."""
        if self.position is not None and change.cursor > self.position and self.is_watching(change):
            self.place = change.cursor
            self.enqueue(change.frame)

    def tell_place(self, event: str, cursor: int, seen: Iterable[Change]) -> None:
        """Make the viewer live at a cursor, and queue `hello` or `reset`; `seen` are the changes up to it in memory."""
        self.go_live(cursor)
        self.place = max((change.cursor for change in seen if self.is_watching(change)), default=0)
        place = self._name_place(cursor)
        self.enqueue(make_frame(event, {"cursor": place}, place))

    def _name_place(self, cursor: int) -> int:
        """Return the cursor that the viewer is told in place of the hub's."""
        return cursor if self.tenants is None else self.place

    def enqueue(self, data: bytes) -> None:
        """Queue a frame, or end the stream if the queue is full, so that nobody waits for a slow viewer."""
        if len(self._frames) >= self._frames_max:
            self.end()
        else:
            self._put(data)

    async def feed(self, change: Change, within_s: float | None = None) -> bool:
        """Queue a past change, if the viewer watches it, once there is room; return False after `within_s`."""
        if self.is_watching(change):
            if not await self.wait_for_room(within_s):
                return False
            self.place = change.cursor
            self._put(change.frame)
        return True

    async def wait_for_room(self, within_s: float | None = None) -> bool:
        """Wait until the queue has room for past changes; return False if there is none after `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                while self._is_full:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            return False
        return True

    def ping(self, cursor: int | None, data: dict[str, Any]) -> None:
        """Queue a ping, with `cursor` if the viewer is live and the cursor is known.

        If the queue is full while the viewer catches up, queue none; end the stream if nothing was read since the last.
        """
        if self.is_live and cursor is not None:
            place = self._name_place(cursor)
            self.enqueue(make_frame("ping", {"cursor": place, **data}, place))
        elif not self._is_full:
            self._put(make_frame("ping", data))
        elif not self._has_taken:
            self.end()
        self._has_taken = False

    def end(self) -> None:
        """End the stream after the frames that are queued."""
        self.ended.set()
        self._filled.set()

    def cut_off(self) -> None:
        """End the stream at once, without the frames that are queued."""
        self._frames.clear()
        self.end()

    async def frames(self) -> AsyncGenerator[bytes]:
        """Yield the bytes to send, in as few pieces as possible, until the stream ends."""
        while True:
            while not self._frames:
                if self.ended.is_set():
                    return
                self._filled.clear()
                await self._filled.wait()
            data = b"".join(self._frames)
            self._frames.clear()
            self._emptied.set()
            self._has_taken = True
            yield data

    def _put(self, data: bytes) -> None:
        self._frames.append(data)
        self._filled.set()


#: The wait before a watch that failed is begun again.
RETRY_S = 1.0
#: The longest time in which a stream sends nothing.
PING_S = 15.0
#: How often the jobstore's health is checked: a watch that lost its jobstore looks like one that is quiet.
HEALTH_CHECK_S = 3.0
#: Changes kept in memory, for viewers that come back.
RING_MAX = 10_000
#: How long the jobstore is watched while no stream is open: a viewer that comes back later reads from the jobstore.
UNSEEN_MAX_S = 10.0
#: Entries of one job's log that are read at once.
LOGS_PAGE = 500
#: How long a stream of the jobstore is kept open for a viewer that takes nothing.
UNREAD_MAX_S = 1.0
#: Events queued for one viewer; a viewer with more is cut off.
QUEUED_MAX = 1_000


class Credentials:
    """The tokens of open streams, each watched once at the jobstore; the streams of a token end with it."""

    def __init__(self, jobstore: AsyncClient) -> None:
        self._jobstore = jobstore
        self._viewers: defaultdict[str, set[Viewer]] = defaultdict(set)
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._callers: dict[str, Caller] = {}

    def find(self, token: str) -> Caller | None:
        """Return who has a token that is watched and has not ended."""
        return self._callers.get(token)

    def add(self, token: str, caller: Caller, viewer: Viewer) -> None:
        """Cut a viewer off once the token of its caller has ended."""
        self._viewers[token].add(viewer)
        if token not in self._callers:
            self._callers[token] = caller
            self._watches[token] = asyncio.create_task(self._watch(token))

    def remove(self, token: str, viewer: Viewer) -> None:
        """Forget a viewer, and the watch of its token if no other viewer has it."""
        self._viewers[token].discard(viewer)
        if not self._viewers[token]:
            del self._viewers[token]
            self._callers.pop(token, None)
            self._watches.pop(token).cancel()

    async def _watch(self, token: str) -> None:
        try:
            async with aclosing(self._jobstore.with_token(token).watch_caller()) as callers:
                async for _ in callers:
                    pass
        except SignoffError as error:
            self._callers.pop(token, None)
            log.info("the streams of a token end", extra={"code": error.code, "reason": error.message})
            for viewer in self._viewers.get(token, ()):
                viewer.cut_off()


class LiveHub:
    """Sends changes to viewers, and keeps the latest changes in memory for viewers that come back soon.

    The hub stops watching the jobstore once no stream has been open for `unseen_max_s`.
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
        self._jobstore = jobstore.reading(lambda message: message)  # most entries are sent to no viewer
        self._credentials = Credentials(self._jobstore)
        self._viewers: set[Viewer] = set()
        VIEWERS.set_function(lambda: len(self._viewers))
        self._viewers_max, self._queued_max, self._ping_s = viewers_max, queued_max, ping_s
        self._is_closed = False
        self._unseen_max_s, self._unseen_since = unseen_max_s, time.monotonic()
        self._awake, self._waking = asyncio.Event(), asyncio.Lock()
        self._awake.set()

    async def run(self) -> None:
        """Watch the jobstore while streams are open, and ping the viewers, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._ping())

    def find_caller(self, token: str) -> Caller | None:
        """Return who has the token of open streams; None if no stream has it, or the token has ended."""
        return self._credentials.find(token)

    async def enter(self, token: str, caller: Caller, job_id: str | None, after: int | None) -> Viewer:
        """Open a caller's stream of a job (None: all) after a cursor (None: now), which ends with the caller's token.

        Raise ProblemError if that is not possible.
        """
        await self._wake()
        viewer = Viewer(job_id, self._queued_max, None if caller.all_tenants else frozenset(caller.tenants))
        cursor = self._admit(viewer)
        viewer.token = token
        self._credentials.add(token, caller, viewer)
        if after is None:
            viewer.tell_place("hello", cursor, self._ring)
        else:
            viewer.feeder = asyncio.create_task(self._catch_up(viewer, after))
        return viewer

    async def follow(self, frames: AsyncGenerator[bytes], tenant: str | None) -> Viewer:
        """Open a stream that sends `frames`, of a tenant's thing or of several tenants' (None), and ends with them.

        Raise ProblemError if no stream can be opened now.
        """
        viewer = Viewer(None, self._queued_max, None if tenant is None else frozenset({tenant}))
        self._admit(viewer)
        viewer.feeder = asyncio.create_task(_forward(viewer, frames))
        return viewer

    async def _wake(self) -> None:
        """Watch the jobstore again, from its latest cursor, if the watch was ended because no stream was open."""
        async with self._waking:
            if not self._awake.is_set():
                try:
                    self._begin_at(await self._jobstore.get_latest_cursor())
                except SignoffError as error:
                    raise _make_unavailable() from error
                self._awake.set()

    def _admit(self, viewer: Viewer) -> int:
        """Add a viewer, and return the cursor of now.

        Viewers of one tenant do not shut out those of others: of the room, each tenant has its share.
        """
        if self.cursor is None or self._is_closed:
            raise _make_unavailable()
        free = self._viewers_max - len(self._viewers)
        if free <= 0:
            raise ProblemError(ErrorCode.TOO_MANY_VIEWERS, f"{self._viewers_max} streams are open already.")
        if is_scarce(free, self._viewers_max):
            for tenant in sorted(viewer.tenants or ()):
                held = sum(tenant in (other.tenants or ()) for other in self._viewers)
                if not may_have_more(held, free):
                    detail = f"{held} streams of the tenant {tenant} are open already; what is free is kept for others."
                    raise ProblemError(ErrorCode.TOO_MANY_VIEWERS, detail)
        self._viewers.add(viewer)
        return self.cursor

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer whose stream is over, and stop the task that feeds it."""
        self._viewers.discard(viewer)
        if viewer.token is not None:
            self._credentials.remove(viewer.token, viewer)
        self._unseen_since = time.monotonic()
        if viewer.feeder is not None:
            viewer.feeder.cancel()

    def close(self) -> None:
        """End all streams, and refuse to open others."""
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
        """Start anew at a cursor: drop earlier changes, send live viewers `reset`, and end the streams of others."""
        self._begin_at(cursor)
        for viewer in self._viewers:
            if viewer.is_live:
                self._reset(viewer)
            else:
                viewer.end()

    def _reset(self, viewer: Viewer) -> None:
        """Make a viewer live at the current cursor, and send `reset`, at which its client reads everything again."""
        if self.cursor is not None:
            viewer.tell_place("reset", self.cursor, self._ring)

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
        if viewer.tenants is not None:  # asked about any cursor, the answer must tell nothing of others' changes
            if viewer.job_id is None and not self._has_shown(viewer, after):
                self._reset(viewer)
                return
            viewer.place, after = after, min(after, self.cursor)
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

    def _has_shown(self, viewer: Viewer, cursor: int) -> bool:
        """Return whether a cursor is that of a change in memory which the viewer watches."""
        return any(change.cursor == cursor and viewer.is_watching(change) for change in self._ring)

    async def _feed_stored(self, viewer: Viewer, after: int) -> int:
        """Queue changes after a cursor that are no longer in memory, from the jobstore; return the cursor reached.

        Stop if the viewer takes nothing for UNREAD_MAX_S: a viewer that reads nothing must cost the jobstore nothing.
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
        """Queue the changes of the viewer's job after a cursor up to now, from its log; return the cursor of now."""
        assert viewer.job_id is not None
        assert self.cursor is not None
        until, token = self.cursor, None  # taken before the log is read, which so holds all up to it
        jobstore = self._jobstore.with_token(viewer.token)  # a console reads no logs of its own
        while token != "":
            logs, token = await jobstore.list_job_logs(viewer.job_id, page_size=LOGS_PAGE, page_token=token or "")
            for change in [Change(entry) for entry in logs if after < entry.cursor <= until]:
                await viewer.feed(change)
        return until


def _make_unavailable() -> ProblemError:
    return ProblemError(ErrorCode.UNAVAILABLE, "The jobstore cannot be watched now.")


async def _forward(viewer: Viewer, frames: AsyncGenerator[bytes]) -> None:
    """Queue frames for a viewer until they end or the jobstore fails; then end its stream, which a browser reopens."""
    try:
        async with aclosing(frames):
            async for data in frames:
                viewer.enqueue(data)
    except SignoffError as error:
        log.warning("the jobstore failed; an event stream ends", extra={"code": error.code, "reason": error.message})
    finally:
        viewer.end()
