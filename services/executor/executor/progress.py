"""How often an agent's progress is told, however often it speaks."""

import asyncio
from collections.abc import Callable

from executor.ports import Progress

PROGRESS_INTERVAL_S = 1.0


class Throttle:
    """Tells the newest progress, at most once in so many seconds, and only what changed."""

    def __init__(self, interval_s: float, tell: Callable[[Progress], None]) -> None:
        self._interval_s = interval_s
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._next_at = 0.0
        self._told = hash(repr(Progress()))  # a hash, so that thousands of calls do not keep what they told
        self._newest: Progress | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, progress: Progress) -> None:
        """Tell it when the time comes, unless a newer one takes its place."""
        self._newest = progress
        if self._timer is None:
            self._timer = self._loop.call_at(self._next_at, self._tell_newest)

    def close(self) -> None:
        """Tell no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tell_newest(self) -> None:
        newest, self._newest, self._timer = self._newest, None, None
        assert newest is not None
        if (known := hash(repr(newest))) == self._told:
            return
        self._told, self._next_at = known, self._loop.time() + self._interval_s
        self._tell(newest)
