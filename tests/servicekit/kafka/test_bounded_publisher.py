"""What a broker does not acknowledge in time is given up, and told of once it is acknowledged all the same."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.structs import RecordMetadata, TopicPartition

from servicekit.errors import TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.publisher import BoundedPublisher, Outgoing, Publisher

WITHIN_S = 0.05


class Producer:
    """A producer that takes records, and acknowledges them when it is told to."""

    def __init__(self) -> None:
        self.acks: list[asyncio.Future[Any]] = []
        self.acknowledges = False

    async def send(self, *_: Any, **__: Any) -> asyncio.Future[Any]:
        self.acks.append(asyncio.get_running_loop().create_future())
        if self.acknowledges:
            self.acknowledge()
        return self.acks[-1]

    def acknowledge(self) -> None:
        for offset, ack in enumerate(self.acks):
            if not ack.done():
                ack.set_result(RecordMetadata("a", 0, TopicPartition("a", 0), offset, 0, 0, -1))


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
def publisher(producer: Producer) -> Publisher:
    made = Publisher(KafkaAccess("nowhere:1"), "test")
    made._producer = producer  # type: ignore[assignment]
    return made


def counted() -> tuple[list[float], Callable[[], Any]]:
    made: list[float] = []

    async def make_topics() -> None:
        made.append(time.monotonic())

    return made, make_topics


async def test_what_is_not_acknowledged_in_time_is_given_up_and_its_producer_kept(
    producer: Producer, publisher: Publisher
) -> None:
    bounded = BoundedPublisher(publisher, WITHIN_S)
    async with asyncio.timeout(60):
        results = await bounded.send([Outgoing("a", b"1"), Outgoing("a", b"2")])
    assert [type(result) for result in results if isinstance(result, TransientError)] == [type(results[0])] * 2
    assert {result.code for result in results if isinstance(result, TransientError)} == {"kafka_unavailable"}
    assert publisher._producer is producer
    assert not any(ack.cancelled() for ack in producer.acks)  # it may be published yet


async def test_whoever_gave_records_up_waits_until_they_are_acknowledged(
    producer: Producer, publisher: Publisher
) -> None:
    """And has the topics made meanwhile, without which they would not be."""
    bounded = BoundedPublisher(publisher, WITHIN_S)
    await bounded.send([Outgoing("a", b"1")])
    made, make_topics = counted()
    waiting = asyncio.create_task(bounded.wait(make_topics))
    await asyncio.sleep(0.1)
    assert made
    assert not waiting.done()
    producer.acknowledge()
    async with asyncio.timeout(60):
        await waiting


async def test_whoever_gave_nothing_up_waits_for_the_topics(publisher: Publisher) -> None:
    made, make_topics = counted()
    async with asyncio.timeout(60):
        await BoundedPublisher(publisher, WITHIN_S).wait(make_topics)
    assert len(made) == 1


async def test_each_time_it_is_waited_for_longer_until_something_is_acknowledged(
    producer: Producer, publisher: Publisher
) -> None:
    """Else a large record would never come through a link that is slow."""
    bounded = BoundedPublisher(publisher, WITHIN_S)
    took = []
    for acknowledges in (False, False, False, True, False):
        producer.acknowledges, began = acknowledges, time.monotonic()
        await bounded.send([Outgoing("a", b"1")])
        took.append(time.monotonic() - began)
    first, second, third, _, last = took
    assert (first >= WITHIN_S, second >= 2 * WITHIN_S, third >= 4 * WITHIN_S) == (True, True, True)
    assert last < 4 * WITHIN_S


async def test_without_a_bound_it_is_waited_for(producer: Producer, publisher: Publisher) -> None:
    sending = asyncio.create_task(publisher.send([Outgoing("a", b"1")]))
    await asyncio.sleep(3 * WITHIN_S)
    assert not sending.done()
    producer.acknowledge()
    assert [result.offset for result in await sending if isinstance(result, RecordMetadata)] == [0]


async def test_records_that_must_all_be_acknowledged_in_time_raise_where_one_is_not(
    producer: Producer, publisher: Publisher
) -> None:
    bounded = BoundedPublisher(publisher, WITHIN_S)
    with pytest.raises(TransientError, match="not acknowledged in time"):
        await bounded.publish_records([Outgoing("a", b"1"), Outgoing("a", b"2")])
    producer.acknowledges = True
    await bounded.publish_records([Outgoing("a", b"3")])
