"""Ask how far whole consumer groups have come, whichever process their members run in."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code
from aiokafka.structs import OffsetAndMetadata

from contracts.topics import TOPICS
from servicekit.errors import TransientError
from servicekit.kafka.offsets import read_progress
from signoff.errors import ErrorCode

#: Where topics end, or what of them is done with: the next offset of each partition.
Ends: TypeAlias = Mapping[TopicPartition, int]


#: Seconds until a question how groups stand is given up; by itself aiokafka asks a silent broker for 40 s.
DESCRIBE_TIMEOUT_S = 5.0
#: Characters of what a member says of itself that are kept.
NAME_MAX = 100


class Member(NamedTuple):
    """A member of a group: its id, who it says it is, where it is, and how many partitions it has."""

    id: str
    client: str
    host: str
    partitions: int


class Group(NamedTuple):
    """A consumer group of a topic: its members, and of each partition how far it was read, and where it ends."""

    name: str
    topic: str
    members: Sequence[Member]
    progress: Mapping[TopicPartition, tuple[int, int]]


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

    async def describe(self) -> list[Group]:
        """Return how the groups stand."""
        try:
            async with asyncio.timeout(DESCRIBE_TIMEOUT_S):
                consumer, admin = await self._connect()
                read = [await _fetch_progress(admin, [group]) for group in self._groups.values()]  # before the ends
                begins = await consumer.beginning_offsets(self._places)
                ends = await consumer.end_offsets(self._places)
                members = [await _list_members(admin, group) for group in self._groups.values()]
        except (KafkaError, OSError, TimeoutError) as error:
            raise await self._disconnect(error) from error
        groups = []
        for (topic, group), positions, known in zip(self._groups.items(), read, members, strict=True):
            places = [at for at in self._places if at.topic == topic]
            progress = {at: (_bound(begins[at], ends[at], positions.get(at, 0)), ends[at]) for at in places}
            groups.append(Group(group, topic, known, progress))
        return groups

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
        return TransientError(str(error), code=ErrorCode.KAFKA_UNAVAILABLE)

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


async def _list_members(admin: AIOKafkaAdminClient, group: str) -> list[Member]:
    (answer,) = await admin.describe_consumer_groups([group])  # one: aiokafka reads answers on several wrong
    ((error_code, _, _, _, _, members, *_),) = answer.groups
    if error_code:
        raise for_code(error_code)(group)
    return [
        Member(id_, client[:NAME_MAX], host[:NAME_MAX], _count_partitions(assignment))
        for id_, client, host, _, assignment in members
    ]


def _count_partitions(assignment: bytes) -> int:
    """Count the partitions that a member was assigned; the leader of a group may have written anything."""
    try:
        return sum(len(each) for _, each in ConsumerProtocolMemberAssignment.decode(assignment).assignment)
    except Exception:  # noqa: BLE001 - whatever it raises of bytes that are no assignment
        return 0


def _bound(begin: int, end: int, read: int) -> int:
    """Return how far a partition was read; what was committed beyond its present end is of one before."""
    return max(begin, read if read <= end else 0)


def _is_read(end: int, begin: int, now: int, read: int) -> bool:
    return _bound(begin, now, read) >= end
