"""Count slots for work under way; work that waits leaves its slot, and returns before newcomers are let in."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Slots:
    """Count slots. More may be taken than there are, since work that was granted must be started."""

    count: int
    _taken: int = 0
    _returning: deque[asyncio.Future[None]] = field(default_factory=deque)

    @property
    def free(self) -> int:
        """Slots for newcomers: those that nobody has or waits to return to."""
        return max(0, self.count - self._taken - len(self._returning))

    def take(self) -> None:
        """Take a slot, even if none is free."""
        self._taken += 1

    def leave(self) -> None:
        """Give up a slot; the work that has waited longest to return gets it."""
        self._taken -= 1
        while self._returning and self._taken < self.count:
            waiting = self._returning.popleft()
            if not waiting.done():
                waiting.set_result(None)
                self._taken += 1

    async def retake(self) -> None:
        """Wait for a free slot and take it, in the order of asking."""
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
            if not turn.cancelled():  # it was given a slot at the same moment
                self.leave()
            raise
