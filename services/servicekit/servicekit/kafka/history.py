"""Read the records that a topic has now, by offsets or from a time, in batches, without a consumer group."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeAlias

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess, count_partitions
from servicekit.patches import UnreadableBatch, skip_unreadable_batches
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]

#: Records in one batch that is read.
RECORDS_MAX = 4_000
#: Bytes that are fetched at once of a partition: twice as many take a fifth more CPU a record, for copies, and half as
#: many a third more, for requests.
PARTITION_BYTES = 256 << 10
#: The broker is taken to be out of reach when nothing arrives for so long although there is more.
SILENCE_S = 15.0
#: Ranges of unreadable batches that are named; batches that follow each other are one range.
NAMED_MAX = 100


@dataclass(slots=True)
class UnreadOffsets:
    """A range of offsets of one partition that cannot be read."""

    topic: str
    partition: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} at {self.first} to {self.last}"


@dataclass(slots=True)
class Unread:
    """The unreadable batches that were skipped: their number, and the first NAMED_MAX ranges of their offsets."""

    count: int = 0
    named: list[UnreadOffsets] = field(default_factory=list)

    def add(self, batch: UnreadableBatch) -> None:
        """Count a batch, and log it if it begins a range of offsets that is kept."""
        self.count += 1
        begun = (one for one in self.named if (one.partition, one.last + 1) == (batch.partition, batch.first_offset))
        if (before := next(begun, None)) is not None:
            before.last = batch.offset
        elif len(self.named) < NAMED_MAX:
            self.named.append(UnreadOffsets(batch.topic, batch.partition, batch.first_offset, batch.offset))
            log.warning("a batch cannot be read and is skipped: %s: %s", self.named[-1], batch.reason)


#: The first and the last time of a record that is shown as it is, in seconds since 1970: a day within the years 1 to
#: 9999, so that every zone can show it.
_FIRST_S: Final = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LAST_S: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()


def read_time(record: Record) -> datetime:
    """Return the timestamp of a record, moved into the years 1 to 9999 if its writer gave another one."""
    return datetime.fromtimestamp(min(max(record.timestamp / 1000, _FIRST_S), _LAST_S), UTC)


def describe_unread(histories: Iterable["History"]) -> dict[str, object]:
    """Return the number of batches that the histories could not read, and the first ranges of their offsets."""
    unread = [history.unread for history in histories]
    return {"batches": sum(one.count for one in unread), "offsets": [str(at) for one in unread for at in one.named]}


class History:
    """Read one topic. Its methods raise TransientError while the broker is out of reach."""

    def __init__(
        self, kafka: KafkaAccess, topic: str, silence_s: float = SILENCE_S, *, check_crcs: bool = True
    ) -> None:
        """Take a topic. `check_crcs` may be False if the caller checks the signature of each record."""
        self.topic = topic
        #: The batches that could not be read.
        self.unread = Unread()
        self._kafka = kafka
        self._silence_s = silence_s
        skip_unreadable_batches()
        self._consumer = kafka.make_consumer(
            client_id="signoff-history",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            check_crcs=check_crcs,
            max_partition_fetch_bytes=PARTITION_BYTES,
            request_timeout_ms=int(silence_s * 1000),
        )

    async def __aenter__(self) -> Self:
        try:
            await self._await_broker(self._consumer.start())
        except TransientError:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def offsets(self, since: datetime | None = None) -> dict[int, range]:
        """Return the offsets that each partition holds now, from the first record that is not older than `since`.

        Raise PermanentError (`unknown_topic`) if the broker has no such topic.
        """
        counted = await self._await_broker(count_partitions(self._consumer._client, [self.topic]))  # noqa: SLF001 - no public way
        partitions = [TopicPartition(self.topic, number) for number in range(counted.get(self.topic, 0))]
        if not partitions:
            raise PermanentError(f"the broker has no topic {self.topic}", code=ErrorCode.UNKNOWN_TOPIC)
        begins = await self._await_broker(self._consumer.beginning_offsets(partitions))
        ends = await self._await_broker(self._consumer.end_offsets(partitions))
        if since is not None:
            times = dict.fromkeys(partitions, int(since.timestamp() * 1000))
            starts = await self._await_broker(self._consumer.offsets_for_times(times))
            begins = {place: at.offset if (at := starts[place]) else ends[place] for place in partitions}
        return {place.partition: range(begins[place], ends[place]) for place in partitions}

    async def read(self, offsets: Mapping[int, range]) -> AsyncGenerator[list[Record]]:
        """Yield the records at these offsets in lists, each partition in order; `unread` has what cannot be read."""
        ends = {TopicPartition(self.topic, number): span.stop for number, span in offsets.items() if span}
        if not ends:
            return
        self._consumer.assign(list(ends))
        for place in ends:
            self._consumer.seek(place, offsets[place.partition].start)
        while ends:
            fetched = await self._fetch(list(ends))
            records = [record for place in fetched for record in fetched[place] if record.offset < ends[place]]
            for batch in (one for one in records if isinstance(one, UnreadableBatch)):
                self.unread.add(batch)
            yield [record for record in records if not isinstance(record, UnreadableBatch)]
            for place in [place for place in ends if await self._consumer.position(place) >= ends[place]]:
                self._consumer.pause(place)
                del ends[place]

    async def _fetch(self, places: list[TopicPartition]) -> Mapping[TopicPartition, list[Record]]:
        """Return the next records; none if a position only moved past transaction markers, which are no records."""
        before = [await self._consumer.position(place) for place in places]
        async with self._limit_silence():
            while True:
                batches = await self._consumer.getmany(*places, timeout_ms=200, max_records=RECORDS_MAX)
                if batches or before != [await self._consumer.position(place) for place in places]:
                    return batches  # type: ignore[no-any-return]

    async def _await_broker(self, question: Any) -> Any:
        async with self._limit_silence():
            return await question

    @contextlib.asynccontextmanager
    async def _limit_silence(self) -> AsyncIterator[None]:
        """Raise TransientError if Kafka fails in the block, or the block takes more than `silence_s`; see `explain`."""
        try:
            async with asyncio.timeout(self._silence_s):
                yield
        except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
            raise await self._kafka.explain(error) from error
