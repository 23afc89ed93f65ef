"""Room for so many at once, of whom some step aside for a while and come back before others are let in."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Slots:
    """Counts places; more may be taken than there are, since work that was granted must be begun."""

    count: int
    _taken: int = 0
    _returning: deque[asyncio.Future[None]] = field(default_factory=deque)

    @property
    def free(self) -> int:
        """Places for newcomers."""
        return max(0, self.count - self._taken - len(self._returning))

    def take(self) -> None:
        """Take a place, though there be none."""
        self._taken += 1

    def leave(self) -> None:
        """Give a place up, to whoever waits longest to come back."""
        self._taken -= 1
        while self._returning and self._taken < self.count:
            waiting = self._returning.popleft()
            if not waiting.done():
                waiting.set_result(None)
                self._taken += 1

    async def come_back(self) -> None:
        """Take a place once there is one."""
        if self._taken < self.count and not self._returning:
            self._taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._returning.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._returning.remove(turn)
            if not turn.cancelled():  # its turn had come at the same moment
                self.leave()
            raise
