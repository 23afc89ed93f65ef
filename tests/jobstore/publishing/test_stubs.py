"""A fact that its topic refuses stands there as a stub: it holds nothing back, and the whole follows once it fits."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from prometheus_client import REGISTRY
from sqlalchemy import text
from support.jobstore.edited import edited
from support.jobstore.limited_topic import LOW, limit_topic
from support.jobstore.signed_facts import make_keys
from support.jobstore.steps import Steps

from contracts.events import JobChanged
from contracts.signing import SIGNATURE_HEADER
from contracts.topics import MESSAGE_MAX_BYTES, TOPIC_OF
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing import fact_reader
from jobstore.publishing.relay import FactSigner, Relay
from jobstore.publishing.watches import Watches
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics, ensure_topics
from servicekit.kafka.publisher import Publisher
from servicekit.patches import skip_unreadable_batches

TOPIC = TOPIC_OF[JobChanged]
KEYS = make_keys("test")


@pytest.fixture(scope="module")
async def publisher(kafka: str) -> AsyncIterator[Publisher]:
    await ensure_topics(KafkaAccess(kafka), 1)
    made = Publisher(KafkaAccess(kafka), "test", message_max_bytes=64 << 20)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def topics(kafka: str) -> AsyncIterator[Topics]:
    made = Topics(KafkaAccess(kafka))
    yield made
    await made.close()
    await limit_topic(kafka, MESSAGE_MAX_BYTES)


@pytest.fixture
async def relay(database: Database, publisher: Publisher, topics: Topics, kafka: str) -> Relay:
    made = Relay(
        database, publisher, FactSigner(KEYS), topics.end_offsets, partial(ensure_topics, KafkaAccess(kafka), 1)
    )
    async with database.session() as session:
        await session.execute(text("DELETE FROM stubs"))
    await relayed(made, database)
    return made


async def relayed(relay: Relay, database: Database) -> None:
    async with database.session() as session:
        while await relay.relay(session) or relay.has_gaps:
            pass


async def completed(relay: Relay, database: Database) -> None:
    """Try the stubs again, as if their time had come, for as long as any is taken."""
    relay._stubs._due_at = 0.0
    async with database.session() as session:
        while await relay.complete_stubs(session):
            pass


async def stored(database: Database) -> list[Any]:
    async with database.session() as session:
        return list(await session.execute(text("SELECT * FROM stubs ORDER BY seq")))


async def stand(database: Database, count: int) -> None:
    """Wait until so many stubs are stored."""
    async with asyncio.timeout(30):
        while len(await stored(database)) != count:  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.02)


class Told:
    """What the topic is told from here on."""

    def __init__(self, kafka: str, begins: Mapping[int, int]) -> None:
        self._kafka, self._begins = kafka, begins

    @classmethod
    async def since_now(cls, kafka: str, topics: Topics) -> "Told":
        return cls(kafka, await topics.end_offsets(TOPIC))

    async def of(self, steps: Steps, count: int) -> list[tuple[JobChanged, bytes, dict[str, bytes]]]:
        """So many records of a job, in order: event, body and headers."""
        skip_unreadable_batches()  # which other tests leave in the topic
        consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, max_partition_fetch_bytes=16 << 20)
        await consumer.start()
        consumer.assign([TopicPartition(TOPIC, number) for number in self._begins])
        for number, offset in self._begins.items():
            consumer.seek(TopicPartition(TOPIC, number), offset)
        found: list[tuple[JobChanged, bytes, dict[str, bytes]]] = []
        try:
            async with asyncio.timeout(30):
                while len(found) < count:
                    record = await consumer.getone()
                    if record.key == steps.job_id.encode():
                        event = JobChanged.model_validate_json(record.value)
                        headers = {name: value for name, value in record.headers if name != SIGNATURE_HEADER}
                        found.append((event, record.value, headers))
        finally:
            await consumer.stop()
        return found


def counted(code: str) -> float:
    return REGISTRY.get_sample_value("signoff_fact_stubs_total", {"topic": TOPIC, "code": code}) or 0.0


async def test_a_fact_that_its_topic_refuses_is_a_stub_and_the_facts_of_others_pass(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str, topics: Topics
) -> None:
    told, before = await Told.since_now(kafka, topics), counted("fact_too_large")
    await limit_topic(kafka, LOW)
    large, small = Steps(database, runner), Steps(database, runner)
    await large.created(payload="x" * LOW)
    await small.running()
    await edited(large, description="more" * 100)
    await relayed(relay, database)

    assert [event.version for event, *_ in await told.of(small, 3)] == [1, 2, 3]
    (first, body, headers), (second, *_) = await told.of(large, 2)
    assert first.stub is not None
    assert (first.version, first.stub.code, first.log.kind, first.job.title) == (1, "fact_too_large", None, "A title")
    assert (len(body) < 2_000, first.stub.bytes > LOW) == (True, True)
    assert second.stub is not None
    assert second.version == 2
    assert [(row.key, row.version, row.code) for row in await stored(database)] == [
        (large.job_id, version, "fact_too_large") for version in (1, 2)
    ]
    assert counted("fact_too_large") == before + 2

    await completed(relay, database)
    assert len(await stored(database)) == 2, "its topic does not take it yet"
    await limit_topic(kafka, MESSAGE_MAX_BYTES)
    await completed(relay, database)
    assert await stored(database) == []
    *_, (whole, body, whole_headers) = await told.of(large, 3)
    assert (whole.version, whole.stub, whole.job.payload) == (1, None, "x" * LOW)
    assert whole_headers == headers
    assert (sha256(body).hexdigest(), len(body)) == (first.stub.hash, first.stub.bytes)
    assert [event.version for event, *_ in await told.of(large, 4)] == [1, 2, 1, 2]


async def test_a_whole_follows_its_stub_while_another_tenant_is_behind(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    await limit_topic(kafka, LOW)
    async with database.transaction() as connection:
        await connection.scalar(text("SELECT nextval('job_logs_seq_seq')"))
        await connection.execute(text("UPDATE job_logs SET seq = seq WHERE seq = 0"))  # a writer that is open
        await Steps(database, runner).created(payload="x" * LOW)
        async with database.session() as session:
            while await relay.relay(session):
                pass
        assert (len(await stored(database)), relay.has_gaps) == (1, True)
        await limit_topic(kafka, MESSAGE_MAX_BYTES)
        await completed(relay, database)
        assert await stored(database) == []


async def test_what_a_topic_has_lost_is_told_in_order_again_and_no_whole_before(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str, topics: Topics
) -> None:
    await limit_topic(kafka, LOW)
    large = Steps(database, runner)
    await large.created()
    await edited(large, description="x" * LOW)
    await relayed(relay, database)
    assert [row.version for row in await stored(database)] == [2]
    await limit_topic(kafka, MESSAGE_MAX_BYTES)
    told = await Told.since_now(kafka, topics)
    async with database.session() as session:
        await relay._begin_again(session)
    await completed(relay, database)
    await relayed(relay, database)
    assert [(event.version, event.stub) for event, *_ in await told.of(large, 2)] == [(1, None), (2, None)]


async def test_only_one_fact_is_tried_of_many_that_do_not_fit(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    await limit_topic(kafka, LOW)
    lives = [await Steps(database, runner).created(payload="x" * (LOW + n)) for n in range(20)]
    sent: list[int] = []
    send = relay._publisher.send

    async def counts(records: Any) -> Any:
        sent.append(max(len(record.value) for record in records))
        return await send(records)

    relay._publisher.send = counts  # type: ignore[method-assign]
    try:
        await relayed(relay, database)
        assert len([size for size in sent if size > LOW]) == 2, "among others, and by itself"
        sent.clear()
        await completed(relay, database)
        assert len(sent) == 1
        await limit_topic(kafka, MESSAGE_MAX_BYTES)
        await completed(relay, database)
    finally:
        relay._publisher.send = send  # type: ignore[method-assign]
    assert (len(lives), await stored(database)) == (20, [])


async def test_what_is_published_again_and_fits_by_now_is_no_stub_any_more(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str, topics: Topics
) -> None:
    await limit_topic(kafka, LOW)
    large = await Steps(database, runner).created(payload="x" * LOW)
    await relayed(relay, database)
    assert len(await stored(database)) == 1
    await limit_topic(kafka, MESSAGE_MAX_BYTES)
    again = Relay(
        database, relay._publisher, FactSigner(KEYS), topics.end_offsets, partial(ensure_topics, KafkaAccess(kafka), 1)
    )
    told = await Told.since_now(kafka, topics)
    async with database.session() as session:
        await again._stubs.load(session)
    await relayed(again, database)
    assert await stored(database) == []
    assert (await told.of(large, 1))[0][0].stub is None


async def test_a_topic_that_takes_not_even_a_stub_holds_nothing_back(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str, topics: Topics
) -> None:
    told = await Told.since_now(kafka, topics)
    await limit_topic(kafka, 200)
    steps = await Steps(database, runner).created()
    await relayed(relay, database)
    assert [row.key for row in await stored(database)] == [steps.job_id]
    await limit_topic(kafka, MESSAGE_MAX_BYTES)
    await completed(relay, database)
    assert (await told.of(steps, 1))[0][0].stub is None


async def test_a_watch_tells_the_whole_of_what_is_a_stub_in_its_topic(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    """Watches, and so the console and the client, read the log: nothing is missing there, and nothing waits."""
    await limit_topic(kafka, LOW)
    large = await Steps(database, runner).created(payload="x" * LOW)
    await edited(large, title="Another")
    await relayed(relay, database)
    assert len(await stored(database)) == 2
    watches = Watches(database)
    watches.set_settled(relay.settled)
    page = await anext(aiter(watches.read_changes(0, [large.job_id], payloads=True)))
    assert [(entry["version"], entry["kind"]) for entry in page] == [(1, "created"), (2, "edited")]
    assert len(page[0]["payload"]) > LOW


async def test_a_running_relay_tries_stubs_again_by_itself(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fact_reader, "AGAIN_FIRST_S", 0.05)
    monkeypatch.setattr(fact_reader, "AGAIN_MAX_S", 0.2)
    await limit_topic(kafka, LOW)
    for size in (LOW, 2 * LOW):
        await Steps(database, runner).created(payload="x" * size)
    running = asyncio.create_task(relay.run())
    try:
        await stand(database, 2)
        await limit_topic(kafka, MESSAGE_MAX_BYTES)
        await stand(database, 0)
    finally:
        running.cancel()
