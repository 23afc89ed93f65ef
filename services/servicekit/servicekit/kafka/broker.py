"""Ask brokers for topics and their offsets, for consumer groups, and for the free space of their disks."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    InvalidPartitionsError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)
from aiokafka.structs import OffsetAndMetadata
from faststream.kafka import KafkaBroker

from contracts.topics import CATALOGUED, TOPICS, WORK_PARTITIONS_MIN, TopicBounds
from servicekit.errors import RefusedError, TransientError
from servicekit.kafka.access import FORBIDDEN, KafkaAccess, count_partitions
from servicekit.kafka.subscription import read_progress
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

#: Seconds until a request for the ends of topics is given up; aiokafka itself retries for ever.
OFFSETS_TIMEOUT_S = 10.0


async def ensure_topics(
    kafka: KafkaAccess,
    replication: int,
    work_partitions: int = WORK_PARTITIONS_MIN,
    bounds: TopicBounds = CATALOGUED,
) -> None:
    """Create the catalogue's topics that are missing, grow those of work to so many partitions, and bound them all.

    It is tried again without end while the broker is out of reach. Partitions are never taken away: Kafka cannot.
    """
    await retry_transient(lambda: _make_topics(kafka, replication, work_partitions, bounds), on="kafka")


async def wait_for_topics(kafka: KafkaAccess, service: str) -> None:
    """Wait without end until all topics exist that a service reads or writes, by the catalogue."""
    await retry_transient(lambda: _check_topics(kafka, service), on="kafka topics")


async def start_consuming(kafka: KafkaAccess, broker: KafkaBroker, ensure: Callable[[], Awaitable[None]]) -> None:
    """Start the consumers of a broker; if it is away, or came back without topics, call `ensure` and start again."""

    async def start() -> None:
        try:
            await broker.start()
        except (UnknownTopicOrPartitionError, KafkaConnectionError, *FORBIDDEN) as error:
            await broker.stop()
            reason = await kafka.explain(error)
            if not isinstance(reason, RefusedError):
                await ensure()
            raise reason from error

    await retry_transient(start, on="kafka topics")


async def _check_topics(kafka: KafkaAccess, service: str) -> None:
    own = [topic.name for topic in TOPICS.values() if service in topic.producers | topic.consumers]
    async with _administer(kafka) as admin:
        missing = set(own) - set(await count_partitions(admin._client, own))  # noqa: SLF001 - no public way
    if missing:
        raise TransientError(f"missing: {', '.join(sorted(missing))}", code=ErrorCode.TOPICS_MISSING)


async def _make_topics(kafka: KafkaAccess, replication: int, work_partitions: int, bounds: TopicBounds) -> None:
    async with _administer(kafka) as admin:
        existing = await count_partitions(admin._client, list(TOPICS))  # noqa: SLF001 - no public way
        wanted = {t.name: work_partitions if t.is_of_work else t.partitions for t in TOPICS.values()}
        new = [
            NewTopic(
                name,
                num_partitions=count,
                replication_factor=replication,
                topic_configs=TOPICS[name].list_settings(replication, bounds),
            )
            for name, count in wanted.items()
            if name not in existing
        ]
        answer = await admin.create_topics(new) if new else None
        for name, code, *_ in answer.topic_errors if answer else ():
            error = for_code(code)
            if issubclass(error, FORBIDDEN):
                raise error(name)
            if code and error is not TopicAlreadyExistsError:
                raise TransientError(f"{name}: {error.__name__}", code=ErrorCode.TOPIC_NOT_CREATED)
        await _grow(
            admin, {name: count for name, count in existing.items() if TOPICS[name].is_of_work}, work_partitions
        )
        if existing:
            await bound_topics(admin, {name: TOPICS[name].bound(bounds) for name in existing})


async def bound_topics(admin: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Give topics that exist the settings by which they are bounded; without the right to do so they keep their own."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict(each)) for name, each in wanted.items()]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        found |= {name: {entry[0]: entry[1] for entry in entries} for _, _, _, name, entries in answer.resources}
    differing = {
        name: settings
        for name, settings in wanted.items()
        if any(found.get(name, {}).get(each) != value for each, value in settings.items())
    }
    if not differing:
        return
    response: Any = await admin._send_request(_AlterConfigsRequest(differing))  # noqa: SLF001 - it only has the call that resets all others
    refused = {name: for_code(code).__name__ for code, _, _, name in response.resources if code}
    changed = {name: each for name, each in differing.items() if name not in refused}
    if changed:
        log.info("topics are bounded anew", extra={"settings": changed})
    if refused:
        log.warning(
            "topics keep the bounds that they have: give this user DescribeConfigs and AlterConfigs of them "
            "(signoff kafka acls)",
            extra=refused,
        )


class _AlterConfigsResponse(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("type", Int8),
                ("name", String("utf-8")),
            ),
        ),
    )


_SETTING: Array = Array(("name", String("utf-8")), ("operation", Int8), ("value", String("utf-8")))


class _AlterConfigsStruct(RequestStruct):  # type: ignore[misc] # same
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterConfigsResponse
    SCHEMA = Schema(
        ("resources", Array(("type", Int8), ("name", String("utf-8")), ("settings", _SETTING))),
        ("validate_only", Boolean),
    )


class _AlterConfigsRequest(Request[_AlterConfigsStruct]):  # type: ignore[misc] # same
    """IncrementalAlterConfigs: set some settings of topics, and leave all others as they are."""

    API_KEY = 44

    def __init__(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        self._settings = settings

    def build(self, request_struct_class: type[_AlterConfigsStruct]) -> _AlterConfigsStruct:
        topic, set_ = ConfigResourceType.TOPIC, 0
        resources = [
            (topic, name, [(setting, set_, value) for setting, value in each.items()])
            for name, each in self._settings.items()
        ]
        return request_struct_class(resources, False)


async def _grow(admin: AIOKafkaAdminClient, counts: Mapping[str, int], wanted: int) -> None:
    """Grow topics that have fewer partitions than wanted; those that have more keep them, which the log says."""
    if more := {name: count for name, count in counts.items() if count > wanted}:
        log.warning("topics keep more partitions than SIGNOFF_WORK_PARTITIONS: none are taken away", extra=more)
    fewer = {name: NewPartitions(wanted) for name, count in counts.items() if count < wanted}
    if fewer:
        with contextlib.suppress(InvalidPartitionsError):  # another jobstore was first, and has grown them all
            await admin.create_partitions(fewer)
            log.info("topics of work have more partitions now", extra={"topics": list(fewer), "partitions": wanted})


async def read_committed(kafka: KafkaAccess, groups: Collection[str]) -> Mapping[str, dict[tuple[str, int], int]]:
    """Return by group, and by topic and partition, the next offset that the group reads, where it has committed one."""
    async with _administer(kafka) as admin:
        return {
            group: {
                (place.topic, place.partition): max(0, at.offset)
                for place, at in (await admin.list_consumer_group_offsets(group)).items()
            }
            for group in groups
        }


async def delete_records(kafka: KafkaAccess, before: Mapping[tuple[str, int], int]) -> None:
    """Delete the records of partitions that stand in front of these offsets."""
    asked = {TopicPartition(*place): RecordsToDelete(before_offset=offset) for place, offset in before.items()}
    async with _administer(kafka) as admin:
        await admin.delete_records(asked)


@contextlib.asynccontextmanager
async def _administer(kafka: KafkaAccess) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = kafka.make_admin(client_id="signoff-topics")
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as error:
        raise await kafka.explain(error) from error
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def _reaching(
    kafka: KafkaAccess, close: Callable[[], Awaitable[None]], within_s: float = OFFSETS_TIMEOUT_S
) -> AsyncIterator[None]:
    """Call `close` and raise what `explain` returns if the block fails, or takes longer, as without an ACL."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except (KafkaError, OSError, TimeoutError) as error:
        await close()
        raise await kafka.explain(error) from error


class Topics:
    """Ask the broker for the offsets of its topics. Methods raise TransientError while the broker is out of reach."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None

    async def end_offsets(self, topic: str) -> Mapping[int, int]:
        """Return, by partition of a topic, the offset of the next record."""
        async with _reaching(self._kafka, self.close):
            if self._consumer is None:
                self._consumer = self._kafka.make_consumer(client_id="signoff-topics")
                await self._consumer.start()
            ends = await self._consumer.end_offsets(await _find_places(self._consumer, [topic]))
        return {partition.partition: offset for partition, offset in ends.items()}

    async def find_spans(self, topic: str) -> Mapping[int, range]:
        """Return, by partition of a topic, the range of offsets that the partition holds."""
        ends = await self.end_offsets(topic)
        assert self._consumer is not None
        async with _reaching(self._kafka, self.close):
            begins = await self._consumer.beginning_offsets([TopicPartition(topic, number) for number in ends])
        return {number: range(begins[TopicPartition(topic, number)], end) for number, end in ends.items()}

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()


async def _find_places(consumer: AIOKafkaConsumer, topics: Collection[str]) -> list[TopicPartition]:
    """Return the partitions that topics have now. Raise an error of aiokafka if one is missing, or is forbidden."""
    counts = await count_partitions(consumer._client, list(topics))  # noqa: SLF001 - no public way
    if missing := set(topics) - set(counts):
        raise UnknownTopicOrPartitionError(", ".join(sorted(missing)))
    return [TopicPartition(topic, number) for topic in topics for number in range(counts[topic])]


#: The next offset of each partition: at the ends of topics, or at the progress of a group.
Ends: TypeAlias = Mapping[TopicPartition, int]


#: Seconds until a description of groups is given up; aiokafka itself waits 40 s for a silent broker.
DESCRIBE_TIMEOUT_S = 5.0
#: Characters of a member's client id and host that are kept.
NAME_MAX = 100


class Member(NamedTuple):
    """A member of a group: its id, its client id, its host, and the number of its partitions."""

    id: str
    client: str
    host: str
    partitions: int


class Group(NamedTuple):
    """A consumer group of a topic: its members, and for each partition its progress and the partition's end."""

    name: str
    topic: str
    members: Sequence[Member]
    progress: Mapping[TopicPartition, tuple[int, int]]


class Readers:
    """The progress of consumer groups, one a topic. Methods raise TransientError if the broker is out of reach."""

    def __init__(self, kafka: KafkaAccess, groups: Mapping[str, str]) -> None:
        self._kafka = kafka
        self._groups = groups
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def find_ends(self) -> Ends:
        """Return the present end offset of each partition of the topics."""
        async with _reaching(self._kafka, self.close):
            consumer, _ = await self._connect()
            ends: Ends = await consumer.end_offsets(await _find_places(consumer, self._groups))
        return ends

    async def have_read(self, ends: Ends) -> bool:
        """Return whether the groups have handled, or parked to be tried again, all records before these ends.

        Of a partition that was emptied since, and now ends earlier, the present end counts.
        """
        async with _reaching(self._kafka, self.close):
            consumer, admin = await self._connect()
            places = [at for at in await _find_places(consumer, self._groups) if at in ends]
            begins = await consumer.beginning_offsets(places)
            now = await consumer.end_offsets(places)
            read = await _fetch_progress(admin, self._groups.values())
        return all(_is_read(min(ends[at], now[at]), begins[at], now[at], read.get(at, 0)) for at in places)

    async def describe(self) -> list[Group]:
        """Return the groups with their members and progress."""
        async with _reaching(self._kafka, self.close, DESCRIBE_TIMEOUT_S):
            consumer, admin = await self._connect()
            all_places = await _find_places(consumer, self._groups)
            read = [await _fetch_progress(admin, [group]) for group in self._groups.values()]  # before the ends
            begins = await consumer.beginning_offsets(all_places)
            ends = await consumer.end_offsets(all_places)
            members = [await _list_members(admin, group) for group in self._groups.values()]
        groups = []
        for (topic, group), positions, known in zip(self._groups.items(), read, members, strict=True):
            places = [at for at in all_places if at.topic == topic]
            progress = {at: (_bound(begins[at], ends[at], positions.get(at, 0)), ends[at]) for at in places}
            groups.append(Group(group, topic, known, progress))
        return groups

    async def _connect(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        if self._consumer is None:
            self._consumer = self._kafka.make_consumer(client_id="signoff-readers")
            await self._consumer.start()
            await self._consumer._client.set_topics(list(self._groups))  # noqa: SLF001 - else it sleeps 100 ms for each
        if self._admin is None:
            self._admin = self._kafka.make_admin(client_id="signoff-readers")
            await self._admin.start()
        return self._consumer, self._admin

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
    """Count the partitions in a member's assignment; 0 if the group's leader wrote bytes that are no assignment."""
    try:
        return sum(len(each) for _, each in ConsumerProtocolMemberAssignment.decode(assignment).assignment)
    except Exception:  # noqa: BLE001 - whatever it raises of bytes that are no assignment
        return 0


def _bound(begin: int, end: int, read: int) -> int:
    """Return the progress `read`, at least `begin`; if above `end`, it is older than the emptied topic, and ignored."""
    return max(begin, read if read <= end else 0)


def _is_read(end: int, begin: int, now: int, read: int) -> bool:
    return _bound(begin, now, read) >= end


_TOPIC = ("name", CompactString("utf-8"))
_TAGS = ("tags", TaggedFields)
_PARTITION: Array = CompactArray(("partition", Int32), ("size", Int64), ("lag", Int64), ("is_future", Boolean), _TAGS)


class _LogDirsResponse(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 35
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "dirs",
            CompactArray(
                ("error_code", Int16),
                ("path", CompactString("utf-8")),
                ("topics", CompactArray(_TOPIC, ("partitions", _PARTITION), _TAGS)),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _LogDirsStruct(RequestStruct):  # type: ignore[misc] # same
    FLEXIBLE_VERSION = True
    API_KEY = 35
    API_VERSION = 4
    RESPONSE_TYPE = _LogDirsResponse
    SCHEMA = Schema(("topics", CompactArray(_TOPIC, ("partitions", CompactArray(Int32)), _TAGS)), _TAGS)


class _LogDirsRequest(Request[_LogDirsStruct]):  # type: ignore[misc] # same
    API_KEY = 35

    def __init__(self, topics: Sequence[object] | None) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_LogDirsStruct]) -> _LogDirsStruct:
        return request_struct_class(self._topics, {})


class LogDir(NamedTuple):
    """A folder of a broker's logs, and the free bytes and all bytes of its disk."""

    broker: int
    path: str
    free_bytes: int
    total_bytes: int


class LogDirs:
    """Ask brokers for the free space of their disks, over connections that stay open."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._kafka = kafka
        self._admin: AIOKafkaAdminClient | None = None

    async def list(self) -> Sequence[LogDir]:
        """Return the log folders of brokers. Raise TransientError while they are out of reach."""
        async with _reaching(self._kafka, self.close):
            return await list_log_dirs(await self._connect())

    async def measure_topics(self) -> Mapping[str, int]:
        """Return the bytes of each topic on all brokers together. Raise TransientError while they are out of reach."""
        sizes: Counter[str] = Counter()
        async with _reaching(self._kafka, self.close):
            async for _, dirs in _describe_log_dirs(await self._connect(), None):
                for _, _, topics, *_ in dirs:
                    for topic, partitions, _ in topics:
                        sizes[topic] += sum(size for _, size, *_ in partitions)
        return sizes

    async def _connect(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = self._kafka.make_admin(client_id="signoff-disks")
            await self._admin.start()
        return self._admin

    async def close(self) -> None:
        """Disconnect."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()


async def list_log_dirs(admin: AIOKafkaAdminClient) -> Sequence[LogDir]:
    """Return the log folders of brokers; none of a broker before Kafka 3.3 or without permission. Raise KafkaError."""
    return [
        LogDir(broker, path, usable, total)
        async for broker, dirs in _describe_log_dirs(admin, [])  # of no topic: the folders alone
        for error, path, _, total, usable, _ in dirs
        if not error and usable >= 0
    ]


async def _describe_log_dirs(
    admin: AIOKafkaAdminClient, topics: Sequence[object] | None
) -> AsyncIterator[tuple[int, Any]]:
    """Yield the folders of each broker, with what they have of these topics, or of all."""
    for broker in (await admin.describe_cluster())["brokers"]:
        try:
            response: Any = await admin._send_request(_LogDirsRequest(topics), broker["node_id"])  # noqa: SLF001 - it has no other way
        except (IncompatibleBrokerVersion, NotImplementedError):  # the broker lacks the request, or this version of it
            continue
        yield broker["node_id"], response.dirs
