"""Share what there is room for, and count slots for work under way by that rule."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, TypeAlias

#: A name is given more while it holds less than so many times the free room: alone it gets 80 %, and two get 89 %.
SHARE: Final = 4


def is_scarce(free: int, capacity: int) -> bool:
    """Return whether no more than a fifth of a capacity is free; while more is, no name can hold too much."""
    return free * (SHARE + 1) <= capacity


def may_have_more(held: int, free: int) -> bool:
    """Return whether a name that holds so much may be given more of the free room."""
    return held < SHARE * free


#: The names of a slot, as its tenant and its model, each of which gets a share of all.
Names: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Slots:
    """Count slots. More may be taken than there are, since granted work must be started.

    Work waits while no slot is free, or while one of its names holds its share.
    """

    count: int
    _taken: int = 0
    _held: Counter[str] = field(default_factory=Counter)
    #: Waiters by their names, in the order of the time since the last of these names was let in.
    _waiting: dict[Names, deque[asyncio.Future[None]]] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Slots that are free, though waiting work may not be allowed to take one."""
        return max(0, self.count - self._taken)

    def take(self, names: Names = ()) -> None:
        """Take a slot, even if none is free."""
        self._taken += 1
        self._held.update(names)

    def leave(self, names: Names = ()) -> None:
        """Give up a slot; of the waiters that may have it, one whose names have waited longest gets it."""
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
        """Return whether one of these names holds so much that granted work should be done elsewhere.

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
        """Wait until a slot may be taken under these names, and take it, in the order of asking."""
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
