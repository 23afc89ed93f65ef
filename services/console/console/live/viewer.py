"""One open stream: a bounded queue between what happens and whoever watches."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from console.live.changes import OPENING, Change, frame


class Viewer:
    """Who cannot keep up is cut off, and resumes by the last id it saw."""

    def __init__(self, job_id: str | None, frames_max: int) -> None:
        self.ended = asyncio.Event()
        self.position: int | None = None
        self.feeding: asyncio.Task[None] | None = None
        self._job_id = job_id
        self._frames = deque([OPENING])
        self._frames_max = frames_max
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._has_taken = True

    @property
    def is_live(self) -> bool:
        """It has what was before, and is told what happens."""
        return self.position is not None

    def go_live(self, position: int) -> None:
        """From now on it is told what lies behind this cursor, as it happens."""
        self.position = position

    def is_told(self, change: Change) -> bool:
        """Whether it watches this job."""
        return self._job_id in {None, change.job_id}

    def tell(self, change: Change) -> None:
        """Pass on what happened now."""
        if self.position is not None and change.cursor > self.position and self.is_told(change):
            self.offer(change.frame)

    def offer(self, data: bytes) -> None:
        """Send it, or end the stream: nobody waits for a slow viewer."""
        if len(self._frames) >= self._frames_max:
            self.end()
        else:
            self._put(data)

    async def feed(self, change: Change) -> None:
        """Send what was before, at the viewer's own pace."""
        if not self.is_told(change):
            return
        while len(self._frames) >= self._frames_max:
            self._emptied.clear()
            await self._emptied.wait()
        self._put(change.frame)

    def ping(self, cursor: int, data: dict[str, Any]) -> None:
        """Show that the stream lives. One that catches up ends only when nothing was taken since the last ping."""
        if self.is_live:
            self.offer(frame("ping", {"cursor": cursor, **data}, cursor))
        elif len(self._frames) < self._frames_max:
            self._put(frame("ping", data))
        elif not self._has_taken:
            self.end()
        self._has_taken = False

    def end(self) -> None:
        """Finish the stream with what is queued."""
        self.ended.set()
        self._filled.set()

    async def frames(self) -> AsyncGenerator[bytes]:
        """What to send, in as few pieces as possible."""
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
