"""Two jobstores share the partitions: neither ends a lease whose outcome stands in one that the other has not read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from support.factories import SECRETS, signature
from support.fakes import until
from support.jobstore.steps import Steps, result
from support.kafka.topics import Place

from contracts.events import ResultProduced
from contracts.resources import Policy
from contracts.signing import SIGNATURE_HEADER
from contracts.topics import TOPIC_OF
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.sweeper import Sweeper
from jobstore.handlers import EventHandlers, read_report
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Readers, ensure_topics
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Subscription, make_broker, stop_consuming
from signoff.status import Delivery

TOPIC = TOPIC_OF[ResultProduced]


class Jobstore:
    """The consumer of results of one of two jobstores; it records nothing while its `gate` is closed."""

    def __init__(self, handlers: EventHandlers, publisher: Publisher, group: str) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0

        async def handle(results: Sequence[Any]) -> Sequence[object]:
            self.waiting += len(results)
            await self.gate.wait()
            return await handlers.on_result_produced(results)

        check = partial(handlers.check_report, ResultProduced)
        self.subscription = Subscription(
            publisher, ResultProduced, group, handle, check_record=check, decode=read_report
        )

    @contextlib.asynccontextmanager
    async def running(self, kafka: str) -> AsyncIterator[None]:
        broker = make_broker(KafkaAccess(kafka), "test")
        self.subscription.attach(broker, max_records=200)
        await broker.start()
        watching = asyncio.create_task(self.subscription.watch())
        try:
            await until(self.partitions, timeout_s=20)
            yield
        finally:
            watching.cancel()
            self.gate.set()
            await stop_consuming(broker, [self.subscription])

    def partitions(self) -> set[TopicPartition]:
        consumer = self.subscription.consumer()
        return set() if consumer is None else set(consumer.assignment())


@pytest.fixture
async def group(kafka: str) -> str:
    """A consumer group that begins where the topic ends now."""
    await ensure_topics(KafkaAccess(kafka), 1)
    return (await Place.now(kafka, TOPIC)).group


async def test_a_result_that_the_other_jobstore_has_not_read_is_not_lost(
    database: Database, runner: CommandRunner, kafka: str, group: str
) -> None:
    steps, publisher = Steps(database, runner), Publisher(KafkaAccess(kafka), "test")
    await publisher.start()
    handlers = EventHandlers(runner, database, SECRETS)
    mine, other = Jobstore(handlers, publisher, group), Jobstore(handlers, publisher, group)
    readers = Readers(KafkaAccess(kafka), {TOPIC: group})
    sweeper = Sweeper(database, runner, readers)
    await sweeper.sweep()
    sweeper._lapse_from = 0.0
    async with mine.running(kafka), other.running(kafka):
        await until(lambda: len(mine.partitions()) == len(other.partitions()) == 4, timeout_s=20)
        other.gate.clear()
        lease = await steps.running(policy=Policy(delivery=Delivery.AT_MOST_ONCE))
        event = result(steps.execution_id, steps.job_id, lease)
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            header = (SIGNATURE_HEADER, signature(event).encode())
            place = min(other.partitions(), key=lambda at: at.partition)
            await producer.send_and_wait(
                TOPIC, event.model_dump_json().encode(), partition=place.partition, headers=[header]
            )
        await until(lambda: other.waiting)
        await steps.due(-1)  # its worker is gone, too
        await sweeper.sweep()
        assert (await steps.row()).state == "LEASED", "the other jobstore has its result"
        other.gate.set()
        async with asyncio.timeout(20):
            while (await steps.row()).stage != "JUDGING":  # noqa: ASYNC110 - the row tells nobody
                await asyncio.sleep(0.05)
        await sweeper.sweep()
        assert (await steps.job()).status == "IN_PROGRESS"
    await readers.close()
    await publisher.stop()
