"""Share slots among names, and count the slots that work under way has taken."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, TypeAlias

#: A name is given more while it holds less than so many times the free room: alone it gets 80 %, and two get 89 %.
SHARE: Final = 4


def is_scarce(free: int, capacity: int) -> bool:
    """Return whether at most a fifth of a capacity is free; while more is, no name can hold more than its share."""
    return free * (SHARE + 1) <= capacity


def may_have_more(held: int, free: int) -> bool:
    """Return whether a name that holds `held` slots may be given more: if that is less than SHARE times `free`."""
    return held < SHARE * free


#: The names of a slot, as its tenant and its model, each of which gets a share of all.
Names: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Slots:
    """Count slots. Granted work takes its slots even if none is free, since it must be started.

    Other work waits while no slot is free, or while one of its names (such as tenant or model) holds its full share.
    What is large takes several slots at once; it begins as soon as one is free, so that it is not overtaken for ever.
    """

    count: int
    _taken: int = 0
    _held: Counter[str] = field(default_factory=Counter)
    #: Waiters, with the slots that each takes, by their names, in the order of the time since the last of these names
    #: was let in.
    _waiting: dict[Names, deque[tuple[asyncio.Future[None], int]]] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """The number of free slots; work that waits may still not be allowed to take one."""
        return max(0, self.count - self._taken)

    def take(self, names: Names = (), weight: int = 1) -> None:
        """Take so many slots under these names, even if none is free."""
        self._taken += weight
        for name in names:
            self._held[name] += weight

    def leave(self, names: Names = (), weight: int = 1) -> None:
        """Give up so many slots. Of the waiters that may enter now, those are first whose names have waited longest."""
        self._taken -= weight
        for name in names:
            self._held[name] -= weight
            if not self._held[name]:
                del self._held[name]
        while self.free and (first := next(filter(self.may_enter, self._waiting), None)) is not None:
            self._let_in(first)

    def may_enter(self, names: Names) -> bool:
        """Return whether a slot may be taken now under these names."""
        return self.free > 0 and all(may_have_more(self._held[name], self.free) for name in names)

    def is_overfull(self, names: Names) -> bool:
        """Return whether one of these names holds so many slots that other workers should do granted work of it.

        The limit is twice the share, since one of several workers gets more than its part by chance.
        """
        return any(not may_have_more(self._held[name], 2 * self.free) for name in names)

    def _let_in(self, names: Names) -> None:
        queue = self._waiting.pop(names)
        turn, weight = queue.popleft()
        if queue:
            self._waiting[names] = queue
        if not turn.done():
            turn.set_result(None)
            self.take(names, weight)

    async def enter(self, names: Names = (), weight: int = 1) -> None:
        """Wait until slots may be taken under these names, and take `weight`; callers with the same names in order."""
        if self.may_enter(names):
            self.take(names, weight)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(names, deque()).append((turn, weight))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given its slots at the same moment
                self.leave(names, weight)
            elif (turn, weight) in (queue := self._waiting.get(names, deque())):
                queue.remove((turn, weight))
                if not queue:
                    del self._waiting[names]
            raise
