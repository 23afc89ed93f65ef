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
    """Count slots. Granted work takes a slot even if none is free, since it must be started.

    Other work waits while no slot is free, or while one of its names (such as tenant or model) holds its full share.
    """

    count: int
    _taken: int = 0
    _held: Counter[str] = field(default_factory=Counter)
    #: Waiters by their names, in the order of the time since the last of these names was let in.
    _waiting: dict[Names, deque[asyncio.Future[None]]] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """The number of free slots; work that waits may still not be allowed to take one."""
        return max(0, self.count - self._taken)

    def take(self, names: Names = ()) -> None:
        """Take a slot under these names, even if none is free."""
        self._taken += 1
        self._held.update(names)

    def leave(self, names: Names = ()) -> None:
        """Give up a slot. Of the waiters that may take it, one gets it whose names were let in least recently."""
        self._taken -= 1
        self._held.subtract(names)
        for name in names:
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
        turn = queue.popleft()
        if queue:
            self._waiting[names] = queue
        if not turn.done():
            turn.set_result(None)
            self.take(names)

    async def enter(self, names: Names = ()) -> None:
        """Wait until a slot may be taken under these names, and take it; callers with the same names in order."""
        if self.may_enter(names):
            self.take(names)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(names, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given a slot at the same moment
                self.leave(names)
            elif turn in (queue := self._waiting.get(names, deque())):
                queue.remove(turn)
                if not queue:
                    del self._waiting[names]
            raise
