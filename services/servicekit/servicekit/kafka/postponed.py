"""Read again the records of a topic that cannot be handled yet, while those behind them are handled."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final

from servicekit.errors import TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.dead_letters import Place
from servicekit.kafka.history import History, Record
from servicekit.retry import chunk_by_size

log = logging.getLogger(__name__)

#: Seconds between two tries of the record that was postponed first.
RETRY_S: Final = 5.0
#: Records that are tried together, once that one is handled.
TRIED_MAX: Final = 200
BYTES_MAX: Final = 8 << 20


class Postponed:
    """The offsets of records that are handled later. None is kept in memory: they are read again from their topic.

    `handle` handles records, and returns those that are to be postponed again.
    """

    def __init__(
        self,
        topic: str,
        reach: Callable[[], KafkaAccess],
        handle: Callable[[Sequence[Record]], Awaitable[Sequence[Record]]],
    ) -> None:
        self._topic, self._reach, self._handle = topic, reach, handle
        #: By partition, in their order; the keys of a dict, since they are many.
        self._offsets: dict[int, dict[int, None]] = {}
        #: The first place of each partition, behind which nothing may be committed.
        self.first: dict[Place, None] = {}
        self._assignment = 0

    def add(self, record: Record) -> None:
        """Postpone a record, until `run` handles it."""
        self._offsets.setdefault(record.partition, {})[record.offset] = None
        self._find_first()

    def forget(self) -> None:
        """Forget all: partitions are assigned anew, and read from where they were committed."""
        self._offsets.clear()
        self._assignment += 1
        self._find_first()

    async def run(self) -> None:
        """Try the records again, every RETRY_S seconds, until none is postponed."""
        log.warning("records wait in their topic, and those behind them are handled", extra={"topic": self._topic})
        while self._offsets:
            await asyncio.sleep(RETRY_S)
            try:
                await self._try()
            except TransientError as error:
                log.info("records that wait cannot be read now", extra={"topic": self._topic, "reason": str(error)})
        log.info("no record waits any more", extra={"topic": self._topic})

    async def _try(self) -> None:
        """Handle the records in their order, until one of them is postponed again."""
        assignment = self._assignment
        spans = {number: range(next(iter(each)), next(reversed(each)) + 1) for number, each in self._offsets.items()}
        async with History(self._reach(), self._topic) as history, aclosing(history.read(spans)) as batches:
            async for records in batches:
                due = [each for each in records if each.offset in self._offsets.get(each.partition, ())]
                for chunk in (due[:1], *chunk_by_size(due[1:], _count_bytes, limit=TRIED_MAX, bytes_max=BYTES_MAX)):
                    left = await self._handle(chunk)
                    if assignment != self._assignment:
                        return
                    waiting = {_find_place(each) for each in left}
                    self._drop(place for each in chunk if (place := _find_place(each)) not in waiting)
                    if left:
                        return
        gone = [(number, offset) for number, span in spans.items() for offset in self._offsets.get(number, ())]
        self._drop((number, offset) for number, offset in gone if offset in spans[number])  # by their topic's age

    def _drop(self, places: Iterable[tuple[int, int]]) -> None:
        for number, offset in places:
            del self._offsets[number][offset]
            if not self._offsets[number]:
                del self._offsets[number]
        self._find_first()

    def _find_first(self) -> None:
        first = {(self._topic, number, next(iter(offsets))): None for number, offsets in self._offsets.items()}
        self.first.clear()
        self.first.update(first)


def _find_place(record: Record) -> tuple[int, int]:
    return record.partition, record.offset


def _count_bytes(record: Record) -> int:
    return len(record.value or b"")
