"""Commit the offsets of what was handled, behind the work (docs/adr/0022)."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from servicekit.kafka.liveness import find_position

log = logging.getLogger(__name__)

#: The least time between two commits of one consumer. What was handled since the last comes again after a crash.
COMMIT_INTERVAL_S = 1.0
#: A commit that takes longer is given up, and tried again with the next.
COMMIT_TIMEOUT_S = 10.0


def read_progress(offset: int, metadata: str) -> int:
    """Return up to where a committed partition was read: behind its offset, where a record before that is parked."""
    return max(offset, int(metadata)) if metadata.isdecimal() else offset


class HandledOffsets(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The offsets that a consumer may commit: none behind a record that is not handled, or is parked.

    `parked` are the places (topic, partition, offset) of records that are tried again beside the others. A commit's
    metadata says up to where all but those are handled, markers of transactions included.
    """

    def __init__(
        self, consumer: Callable[[], AIOKafkaConsumer | None], parked: Collection[tuple[str, int, int]]
    ) -> None:
        self._consumer = consumer
        self._parked = parked
        self._taken: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, tuple[int, str]] = {}
        #: Set: commit at once what is handled by then.
        self.soon = asyncio.Event()
        #: Counts assignments. What was read under an older one may be of a broker that has come back empty since.
        self.assignment = 0

    def note_taken(self, records: Iterable[ConsumerRecord[bytes | None, bytes | None]]) -> None:
        """Note records that a poll returned: until they are handled, its next position says nothing."""
        for record in records:
            self._taken[TopicPartition(record.topic, record.partition)] = record.offset + 1

    def note_handled(self, records: Iterable[ConsumerRecord[bytes | None, bytes | None]], assignment: int) -> None:
        """Let the offsets of records be committed, which were handled, or are parked, and read under an assignment."""
        if assignment != self.assignment:
            return
        for record in records:
            self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1

    async def commit_regularly(self) -> None:
        """Commit what changes, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_INTERVAL_S):
                    await self.soon.wait()
            self.soon.clear()
            await self.commit()

    async def commit(self, timeout_s: float = COMMIT_TIMEOUT_S) -> None:
        """Commit what was handled. A commit that fails only repeats records later, which changes nothing."""
        consumer = self._consumer()
        if consumer is None:
            return
        found = {partition: self._find_offset(consumer, partition) for partition in consumer.assignment()}
        offsets = {partition: at for partition, at in found.items() if at and at != self._committed.get(partition)}
        if not offsets:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            topics = sorted({partition.topic for partition in offsets})
            reason = {"topics": topics, "reason": repr(error)}
            log.warning("offsets not committed, these records may come again", extra=reason)
        else:
            self._committed |= offsets

    def _find_offset(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> tuple[int, str] | None:
        """Return what to commit of a partition, offset and metadata; None where nothing was handled."""
        read = self._next.get(partition)
        if read == self._taken.get(partition):  # all that was returned is handled
            read = find_position(consumer, partition) or read
        if read is None:
            return None
        parked = (at for topic, number, at in self._parked if (topic, number) == partition)
        return min([read, *parked]), str(read)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Commit before another consumer of the group goes on with these partitions."""
        del revoked  # of this group's protocol, all
        await self.commit()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Forget what was handled before: another consumer may have come further, or the topic begun again."""
        del assigned
        self.assignment += 1
        self._taken.clear()
        self._next.clear()
        self._committed.clear()
