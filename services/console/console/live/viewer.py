"""One open event stream: a bounded queue between the hub and a viewer's connection."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from console.live.changes import OPENING, Change, make_frame

#: Frames of the past that wait for one viewer, who may read nothing for long.
FED_MAX = 100


class Viewer:
    """The queue of one stream. A viewer that cannot keep up is cut off, and resumes by the last id it saw."""

    def __init__(self, job_id: str | None, frames_max: int) -> None:
        self.ended = asyncio.Event()
        self.position: int | None = None
        self.feeder: asyncio.Task[None] | None = None
        self.job_id = job_id
        self._frames = deque([OPENING])
        self._frames_max, self._fed_max = frames_max, min(FED_MAX, frames_max)
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._has_taken = True

    @property
    def is_live(self) -> bool:
        """Whether it has caught up, and is sent changes as they happen."""
        return self.position is not None

    @property
    def _is_full(self) -> bool:
        return len(self._frames) >= self._fed_max

    def go_live(self, position: int) -> None:
        """Send changes after this cursor from now on, as they happen."""
        self.position = position

    def is_watching(self, change: Change) -> bool:
        """Return whether the viewer watches the job of a change."""
        return self.job_id in {None, change.job_id}

    def push(self, change: Change) -> None:
        """Send a change that happened now, unless the viewer is still catching up, or has it."""
        if self.position is not None and change.cursor > self.position and self.is_watching(change):
            self.enqueue(change.frame)

    def enqueue(self, data: bytes) -> None:
        """Queue a frame, or end the stream if the queue is full: nobody waits for a slow viewer."""
        if len(self._frames) >= self._frames_max:
            self.end()
        else:
            self._put(data)

    async def feed(self, change: Change, within_s: float | None = None) -> bool:
        """Send a change of the past, at the viewer's own pace; return False if it takes nothing within that time."""
        if self.is_watching(change):
            if not await self.wait_for_room(within_s):
                return False
            self._put(change.frame)
        return True

    async def wait_for_room(self, within_s: float | None = None) -> bool:
        """Wait until more of the past may be sent; return False if the viewer takes nothing within that time."""
        try:
            async with asyncio.timeout(within_s):
                while self._is_full:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            return False
        return True

    def ping(self, cursor: int | None, data: dict[str, Any]) -> None:
        """Show that the stream is alive, at a cursor, unless none is known while the log is another than it was.

        While catching up it ends only if nothing was read since the last ping.
        """
        if self.is_live and cursor is not None:
            self.enqueue(make_frame("ping", {"cursor": cursor, **data}, cursor))
        elif not self._is_full:
            self._put(make_frame("ping", data))
        elif not self._has_taken:
            self.end()
        self._has_taken = False

    def end(self) -> None:
        """End the stream after what is queued."""
        self.ended.set()
        self._filled.set()

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
