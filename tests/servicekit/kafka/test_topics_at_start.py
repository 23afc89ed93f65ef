"""Consuming begins although the broker comes back empty, or goes away, meanwhile; brokers tell what they hold."""

import asyncio
import contextlib
import shutil
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError
from faststream.kafka import KafkaBroker

from contracts.topics import CATALOGUED, TOPICS
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import LogDirs, bound_topics, list_log_dirs, start_consuming


async def test_topics_that_are_gone_are_made_again_and_consuming_begins(kafka: str) -> None:
    topic, made, consumed = f"gone-{uuid4()}", [], asyncio.Event()
    broker = KafkaBroker(kafka, request_timeout_ms=200, allow_auto_create_topics=False, logger=None)

    @broker.subscriber(topic, group_id=topic, auto_offset_reset="earliest")
    async def consume(_: bytes) -> None:
        consumed.set()

    async def make_topic() -> None:
        made.append(topic)
        async with contextlib.AsyncExitStack() as stack:
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
            stack.push_async_callback(admin.close)
            await admin.start()
            await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])

    async with asyncio.timeout(30):
        await start_consuming(KafkaAccess(kafka), broker, make_topic)
        try:
            assert made == [topic]
            await broker.publish(b"a record", topic)
            await consumed.wait()
        finally:
            await broker.stop()


class Away:
    """A broker that is away at first."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")
        if len(self.calls) == 1:
            raise KafkaConnectionError("nobody answers")

    async def stop(self) -> None:
        self.calls.append("stop")


async def test_a_broker_that_goes_away_meanwhile_is_waited_for() -> None:
    broker = Away()

    async def make_topics() -> None:
        broker.calls.append("make topics")

    await start_consuming(KafkaAccess("127.0.0.1:1"), broker, make_topics)  # type: ignore[arg-type]
    assert broker.calls == ["start", "stop", "make topics", "start"]


async def test_a_broker_tells_how_much_is_free_where_its_logs_are(broker: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        (found,) = await list_log_dirs(admin)
    finally:
        await admin.close()
    log_dirs = LogDirs(KafkaAccess(broker))
    try:
        ((_, path, _, total_bytes),) = await log_dirs.list()
    finally:
        await log_dirs.close()
    assert (path, total_bytes) == (found.path, shutil.disk_usage(found.path).total)
    assert found.broker == 1
    assert found.free_bytes == pytest.approx(shutil.disk_usage(found.path).free, rel=0.1)


async def test_brokers_tell_how_large_topics_are(kafka: str) -> None:
    topic, admin, log_dirs = (
        f"sized-{uuid4()}",
        AIOKafkaAdminClient(bootstrap_servers=kafka),
        LogDirs(KafkaAccess(kafka)),
    )
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 2, 1)])
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            for partition in range(2):
                await producer.send_and_wait(topic, bytes(1000), partition=partition)
        assert 2_000 < (await log_dirs.measure_topics())[topic] < 3_000
    finally:
        await asyncio.gather(admin.close(), log_dirs.close())


async def read_settings(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def test_a_topic_that_exists_is_bounded_anew_and_its_other_settings_stay(
    kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    topic, bounds = f"bounded-{uuid4()}", TOPICS["execute-requested-dlq"].bound(CATALOGUED)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        of_operator = {"max.message.bytes": "9000000", "retention.ms": "5000000"}
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=of_operator)])
        await bound_topics(admin, {topic: bounds})
        async with asyncio.timeout(30):
            while not bounds.items() <= (settings := await read_settings(admin, topic)).items():  # noqa: ASYNC110 - the broker's
                await asyncio.sleep(0.01)
        said = len(caplog.records)
        await bound_topics(admin, {topic: bounds})
    finally:
        await admin.close()
    log_dirs = LogDirs(KafkaAccess(kafka))
    assert (await log_dirs.measure_topics())[topic] == 0, "among all that there are"
    await log_dirs.close()
    assert settings["max.message.bytes"] == "9000000"
    assert [record.message for record in caplog.records[said:]] == []


async def test_a_topic_that_may_not_be_changed_keeps_its_bounds_and_the_log_says_so(
    kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await bound_topics(admin, {f"not-there-{uuid4()}": {"retention.ms": "600000"}})
    finally:
        await admin.close()
    assert "topics keep the bounds that they have" in caplog.text


class OldBroker:
    """A cluster of one broker that knows no such call."""

    async def describe_cluster(self) -> dict[str, object]:
        return {"brokers": [{"node_id": 1}]}

    async def _send_request(self, request: object, _: int) -> object:
        return request.prepare({35: (0, 3)})  # type: ignore[attr-defined]


async def test_of_a_broker_of_before_nothing_is_known() -> None:
    assert await list_log_dirs(OldBroker()) == []  # type: ignore[arg-type]
