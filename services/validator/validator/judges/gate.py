"""Let requests through to a server at the pace that it takes, in the order in which they come."""

import asyncio
import random
import time
from collections import deque

from prometheus_client import Counter, Gauge

from validator.judges.pace import Pace, Turn
from validator.judges.quotas import Said

WAITING = Gauge("signoff_judge_waiting", "Questions that wait for the pace that a judge's server takes", ["server"])
WINDOW = Gauge("signoff_judge_window", "Questions at once to a judge's server, since it refused one", ["server"])
REFUSALS = Counter("signoff_judge_refusals", "Questions that a judge's server refused for its rate", ["server"])


class Gate:
    """The way to one server with one key; `server` is its name in metrics."""

    def __init__(self, server: str) -> None:
        self._pace = Pace()
        self._waits, self._refusals = WAITING.labels(server), REFUSALS.labels(server)
        WINDOW.labels(server).set_function(lambda: self._pace.window)
        self._waiting: deque[tuple[asyncio.Future[Turn], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, tokens: float) -> Turn:
        """Wait until a request of about so many tokens may begin. Whoever enters says how it ended."""
        now = time.monotonic()
        if not self._waiting and self._pace.wait_s(tokens, now) == 0.0:
            return self._pace.begin(tokens, now)
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, tokens))
        self._waits.inc()
        try:
            self._admit()
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._admit()  # it may have been the first, and only its tokens too many
            else:
                self.leave()
            raise
        finally:
            self._waits.dec()

    def leave(self) -> None:
        """End a request that had no answer."""
        self._pace.end()
        self._admit()

    def answered(self, turn: Turn, said: Said) -> None:
        """End a request that was answered, well or badly."""
        self._pace.answered(turn, said, time.monotonic())
        self._admit()

    def refused(self, turn: Turn, said: Said, pause_s: float | None) -> None:
        """End a request that was refused for the rate or the load, perhaps with the pause that it asks for."""
        self._pace.refused(turn, said, time.monotonic(), pause_s, random.random())  # noqa: S311 - no secret
        self._refusals.inc()
        self._admit()

    def _admit(self) -> None:
        """Begin what may begin by now, and come back when the next may."""
        waiting, pace = self._waiting, self._pace
        while waiting:
            turn, tokens = waiting[0]
            if turn.done():  # whoever waited has gone
                waiting.popleft()
                continue
            now = time.monotonic()
            wait_s = pace.wait_s(tokens, now)
            if wait_s != 0.0:
                self._come_back(wait_s)
                return
            waiting.popleft()
            turn.set_result(pace.begin(tokens, now))

    def _come_back(self, wait_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._admit)
