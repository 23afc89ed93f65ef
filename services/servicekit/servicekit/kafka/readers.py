"""Ask how far whole consumer groups have come, whichever process their members run in."""

from collections.abc import Collection, Mapping
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from contracts.topics import TOPICS
from servicekit.errors import TransientError
from servicekit.kafka.offsets import read_progress

#: Where topics end, or what of them is done with: the next offset of each partition.
Ends: TypeAlias = Mapping[TopicPartition, int]


class Readers:
    """The consumer groups of some topics, which are given with them. TransientError: the broker is out of reach."""

    def __init__(self, kafka: str, groups: Mapping[str, str]) -> None:
        self._kafka = kafka
        self._groups = groups
        self._places = [TopicPartition(topic, n) for topic in groups for n in range(TOPICS[topic].partitions)]
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def find_ends(self) -> Ends:
        """Return where the topics end now."""
        try:
            consumer, _ = await self._connect()
            ends: Ends = await consumer.end_offsets(self._places)
        except (KafkaError, OSError, TimeoutError) as error:
            raise await self._disconnect(error) from error
        return ends

    async def have_read(self, ends: Ends) -> bool:
        """Return whether all that stood before these ends was handled, or is tried again beside the others.

        Of a topic that was begun again since, what stands there now must be.
        """
        try:
            consumer, admin = await self._connect()
            begins = await consumer.beginning_offsets(self._places)
            now = await consumer.end_offsets(self._places)
            read = await _fetch_progress(admin, self._groups.values())
        except (KafkaError, OSError, TimeoutError) as error:
            raise await self._disconnect(error) from error
        return all(_is_read(min(ends[at], now[at]), begins[at], now[at], read.get(at, 0)) for at in self._places)

    async def _connect(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, client_id="signoff-readers")
            await self._consumer.start()
            await self._consumer._client.set_topics(list(self._groups))  # noqa: SLF001 - else it sleeps 100 ms for each
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self._kafka, client_id="signoff-readers")
            await self._admin.start()
        return self._consumer, self._admin

    async def _disconnect(self, error: Exception) -> TransientError:
        await self.close()
        return TransientError(str(error), code="kafka_unavailable")

    async def close(self) -> None:
        """Disconnect."""
        consumer, admin = self._consumer, self._admin
        self._consumer = self._admin = None
        if consumer is not None:
            await consumer.stop()
        if admin is not None:
            await admin.close()


async def _fetch_progress(admin: AIOKafkaAdminClient, groups: Collection[str]) -> Mapping[TopicPartition, int]:
    progress: dict[TopicPartition, int] = {}
    for group in groups:
        committed: Mapping[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(group)
        progress |= {place: read_progress(*at) for place, at in committed.items()}
    return progress


def _is_read(end: int, begin: int, now: int, read: int) -> bool:
    """Return whether a partition is read up to an end; what was committed beyond its present end is of one before."""
    return max(begin, read if read <= now else 0) >= end
