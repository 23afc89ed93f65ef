"""Kafka and PostgreSQL of the local stack: up, killed, back, and nothing lost."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from support.fakes import until

from localstack import postgres
from localstack.backing import make_backing
from localstack.datadir import DataDir
from localstack.kafka import SHORT_LIVED_OPTION, Kafka
from localstack.stack import Infrastructure, infrastructure

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    with infrastructure(tmp_path_factory.mktemp("backing")) as running:
        yield running


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def consume(bootstrap: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id="readers", auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(30):
        record = await consumer.getone()
        return record.value or b""


async def create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def test_kafka_of_tests_compiles_less_loads_kept_classes_and_its_coordinator_waits_for_nothing(
    running: Infrastructure, tmp_path: Path
) -> None:
    command = psutil.Process(running.processes["kafka"]).cmdline()
    assert SHORT_LIVED_OPTION in command
    kept = next(word.partition("=")[2] for word in command if word.startswith("-XX:AOTCache="))
    await until(Path(kept).exists, 60)  # another worker may be at it
    assert SHORT_LIVED_OPTION not in Kafka(tmp_path, 1, 2).make_spec().argv
    admin = AIOKafkaAdminClient(bootstrap_servers=running.kafka)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    finally:
        await admin.close()
    given = {name: value for name, value, *_ in answer.resources[0][4]}
    names = ("group.coordinator.append.linger.ms", "num.network.threads", "num.io.threads")
    assert [given[name] for name in names] == ["0", "1", "2"]


async def test_kafka_keeps_its_data_through_a_kill(running: Infrastructure) -> None:
    await create_topic(running.kafka, "kept")
    await produce(running.kafka, "kept", b"record")
    await asyncio.wrap_future(running.kill("kafka"))
    assert await consume(running.kafka, "kept") == b"record"


async def test_postgres_keeps_its_data_through_a_kill(running: Infrastructure) -> None:
    connection = await asyncpg.connect(running.postgres)
    await connection.execute("CREATE TABLE kept (x int)")
    await connection.execute("INSERT INTO kept VALUES (42)")
    await asyncio.wrap_future(running.kill("postgres"))
    connection = await asyncpg.connect(running.postgres)
    assert await connection.fetchval("SELECT x FROM kept") == 42
    assert await connection.fetchval("SHOW server_version") == "18.4"
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


async def test_postgres_wants_the_password(running: Infrastructure) -> None:
    user, _, rest = running.postgres.partition(":")[2].partition(":")
    address = rest.partition("@")[2]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql:{user}:wrong@{address}")


def test_a_stopped_one_starts_again_on_the_same_directory_and_addresses(tmp_path: Path) -> None:
    with infrastructure(tmp_path) as first:
        addresses = (first.kafka, first.postgres)
        asyncio.run(create_topic(first.kafka, "kept"))
        asyncio.run(produce(first.kafka, "kept", b"record"))
        processes = [psutil.Process(pid) for pid in first.processes.values()]
    assert not any(process.is_running() for process in processes)
    with infrastructure(tmp_path) as second:
        assert (second.kafka, second.postgres) == addresses
        assert asyncio.run(consume(second.kafka, "kept")) == b"record"
        second.kill("postgres", signal.SIGQUIT).result(timeout=60)


async def test_where_no_programs_of_postgresql_know_tls_the_stack_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "TLS_BINARIES", {})
    (tmp_path / "postgres" / "data").mkdir(parents=True)  # so that nothing is made there
    said: list[str] = []
    server, _ = make_backing(DataDir(tmp_path), secure=True, progress=said.append)
    await server.make_spec().prepare()
    assert "sslmode" not in server.url
    assert [line.partition(":")[0] for line in said] == ["PostgreSQL is not encrypted"]
