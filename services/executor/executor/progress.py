"""Bound how often an agent's progress is reported, however often it speaks."""

import asyncio
from collections.abc import Callable

from executor.ports import Progress

#: The default of the setting: the shortest time between two reports of a call's progress.
PROGRESS_INTERVAL_S = 1.0


class Throttle:
    """Report the newest progress, at most once in `interval_s` seconds, and only if it changed."""

    def __init__(self, interval_s: float, report: Callable[[Progress], None]) -> None:
        self._interval_s = interval_s
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._next_at = 0.0
        self._last = hash(repr(Progress()))  # a hash, so that thousands of calls do not keep what they reported
        self._newest: Progress | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, progress: Progress) -> None:
        """Report this progress when the time comes, unless a newer one takes its place."""
        self._newest = progress
        if self._timer is None:
            self._timer = self._loop.call_at(self._next_at, self._report_newest)

    def close(self) -> None:
        """Report nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _report_newest(self) -> None:
        newest, self._newest, self._timer = self._newest, None, None
        assert newest is not None
        if (current := hash(repr(newest))) == self._last:
            return
        self._last, self._next_at = current, self._loop.time() + self._interval_s
        self._report(newest)
