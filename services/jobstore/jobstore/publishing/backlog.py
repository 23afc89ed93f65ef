"""Know which rows of the log were not seen yet, and which were seen and are not published. Pure.

Rows of the log commit in another order than their numbers, and numbers of a transaction that was rolled back are never
used. So what was not seen is no single place: it is ranges of numbers, the last without an end. A range is given up
once every transaction has ended that may have drawn a number of it, and the log was read again.
"""

from bisect import bisect
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

#: The greatest number that a row can have.
LAST: Final = 2**63 - 1

#: A number that was taken from a backlog, with its tenant.
Taken = tuple[str, int]


class Writers(NamedTuple):
    """The transactions that wrote when a number had been seen; once they have ended, no lower one can still appear."""

    transactions: frozenset[str]
    number: int


class Unseen:
    """The numbers that were not seen yet, as ranges in order, each with its first and its last."""

    def __init__(self, after: int) -> None:
        self.ranges = [(after + 1, LAST)]

    @property
    def settled(self) -> int:
        """The number up to which every row was seen, or will never be."""
        return self.ranges[0][0] - 1

    @property
    def last_seen(self) -> int:
        """The greatest number that was seen, or is expected."""
        return self.ranges[-1][0] - 1

    def has(self, number: int) -> bool:
        """Return whether a number was not seen yet."""
        first, last = self.ranges[bisect(self.ranges, (number, LAST)) - 1]
        return first <= number <= last

    def expect(self, number: int) -> bool:
        """Note that some row has a number: unless it was seen, it is missing. Return whether that is new."""
        first, last = self.ranges[-1]
        if number < first:
            return False
        self.ranges = [*self.ranges[:-1], (first, number), (number + 1, last)]
        return True

    def see(self, numbers: Iterable[int]) -> None:
        """Note that rows were seen, whose numbers are in order."""
        ranges = list[tuple[int, int]]()
        left = iter(self.ranges)
        first, last = next(left)
        for number in numbers:
            while number > last:
                ranges.append((first, last))
                first, last = next(left)
            if number > first:
                ranges.append((first, number - 1))
            first = number + 1
            if first > last:
                first, last = next(left)
        self.ranges = [*ranges, (first, last), *left]

    def give_up(self, until: int) -> None:
        """Forget the numbers up to one: no row has them, or will have."""
        self.ranges = [(max(first, until + 1), last) for first, last in self.ranges if last > until]


class Backlog:
    """The facts that were seen and are not published, by tenant: each in its own order, and in turns between them."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def lowest(self) -> int:
        """The least number of all; LAST if there is none."""
        return min((queue[0] for queue in self._queues.values()), default=LAST)

    def add(self, tenant: str, numbers: Sequence[int]) -> None:
        """Add numbers of a tenant, which are in order. Some may be less than those that wait: they committed late."""
        queue = self._queues.setdefault(tenant, deque())
        if queue and numbers[0] < queue[-1]:
            self._queues[tenant] = deque(sorted([*queue, *numbers]))
        else:
            queue.extend(numbers)
        self._count += len(numbers)

    def take(self, limit: int) -> list[Taken]:
        """Take the next numbers, one of each tenant in turn."""
        taken = list[Taken]()
        while self._queues and len(taken) < limit:
            tenant = next(iter(self._queues))
            queue = self._queues.pop(tenant)
            taken.append((tenant, queue.popleft()))
            if queue:
                self._queues[tenant] = queue  # behind all others
        self._count -= len(taken)
        return taken

    def put_back(self, taken: Sequence[Taken]) -> None:
        """Put back the last of what was taken."""
        for tenant, number in reversed(taken):
            self._queues.setdefault(tenant, deque()).appendleft(number)
        self._count += len(taken)
