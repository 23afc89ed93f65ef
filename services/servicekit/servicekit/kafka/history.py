"""Reading what a topic holds as of now: by offsets or from a time, in batches, without a consumer group."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from servicekit.errors import PermanentError, TransientError

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]

RECORDS_MAX = 500
#: Nothing arrives for so long although there is more: the broker is out of reach.
SILENCE_S = 15.0


class History:
    """One topic. TransientError: the broker is out of reach. PermanentError: it has no such topic."""

    def __init__(self, kafka: str, topic: str, silence_s: float = SILENCE_S) -> None:
        self.topic = topic
        self._silence_s = silence_s
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            client_id="signoff-history",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=int(silence_s * 1000),
        )

    async def __aenter__(self) -> Self:
        try:
            await self._within(self._consumer.start())
        except TransientError:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def offsets(self, since: datetime | None = None) -> dict[int, range]:
        """The offsets that each partition holds now, from the first record that is not older than `since`."""
        known = await self._within(self._consumer._client.fetch_all_metadata())  # noqa: SLF001 - no public way to have it anew
        partitions = [TopicPartition(self.topic, n) for n in sorted(known.partitions_for_topic(self.topic) or ())]
        if not partitions:
            raise PermanentError(f"the broker has no topic {self.topic}", code="unknown_topic")
        begins = await self._within(self._consumer.beginning_offsets(partitions))
        ends = await self._within(self._consumer.end_offsets(partitions))
        if since is not None:
            times = dict.fromkeys(partitions, int(since.timestamp() * 1000))
            found = await self._within(self._consumer.offsets_for_times(times))
            begins = {place: at.offset if (at := found[place]) else ends[place] for place in partitions}
        return {place.partition: range(begins[place], ends[place]) for place in partitions}

    async def read(self, offsets: Mapping[int, range]) -> AsyncIterator[list[Record]]:
        """The records at these offsets, those of each partition in order."""
        ends = {TopicPartition(self.topic, number): span.stop for number, span in offsets.items() if span}
        if not ends:
            return
        self._consumer.assign(list(ends))
        for place in ends:
            self._consumer.seek(place, offsets[place.partition].start)
        while ends:
            fetched = await self._fetched(list(ends))
            for place, records in fetched.items():
                yield [record for record in records if record.offset < ends[place]]
            for place in [place for place in ends if await self._consumer.position(place) >= ends[place]]:
                self._consumer.pause(place)
                del ends[place]

    async def _fetched(self, places: list[TopicPartition]) -> Mapping[TopicPartition, list[Record]]:
        """The next records; none where only markers were left, which are no records."""
        before = [await self._consumer.position(place) for place in places]
        async with self._patience():
            while True:
                found = await self._consumer.getmany(*places, timeout_ms=200, max_records=RECORDS_MAX)
                if found or before != [await self._consumer.position(place) for place in places]:
                    return found  # type: ignore[no-any-return]

    async def _within(self, asked: Any) -> Any:
        async with self._patience():
            return await asked

    @contextlib.asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._silence_s):
                yield
        except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
            raise TransientError(str(error) or "the broker does not answer", code="kafka_unavailable") from error
