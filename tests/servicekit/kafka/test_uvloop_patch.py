"""aiokafka on uvloop survives connections that are lost at any moment."""

import asyncio

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from faults.stack.links import Link

from servicekit.kafka.broker import ensure_topics, wait_for_topics
from servicekit.patches import survive_lost_connections

#: Longer than the test: a fetch that failed waits to be tried again.
BACKOFF_MS = 60_000
TICKS_MAX = 10_000


async def _sent_until_it_fails(kafka: str) -> None:
    """Cut a connection, and ask over it at each turn of the loop until that fails."""
    link = Link("kafka", int(kafka.rpartition(":")[2]))
    await link.start()
    connection = await create_conn("127.0.0.1", link.port)
    link.cut()
    try:
        for _ in range(TICKS_MAX):
            connection.send(MetadataRequest([])).close()
            await asyncio.sleep(0)
    finally:
        connection.close()
        await link.stop()


async def test_a_lost_connection_is_an_error_that_aiokafka_knows(kafka: str) -> None:
    survive_lost_connections()
    with pytest.raises(KafkaError):
        await asyncio.to_thread(lambda: uvloop.run(_sent_until_it_fails(kafka)))


async def _stopped_without_a_broker(kafka: str) -> None:
    """Stop a consumer whose fetch has failed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, retry_backoff_ms=BACKOFF_MS)
    failing = asyncio.Event()

    async def fail(*_: object) -> None:
        failing.set()
        raise KafkaConnectionError

    await consumer.start()
    consumer._client.send = fail
    consumer.assign([TopicPartition("result-produced", 0)])
    consumer.seek(TopicPartition("result-produced", 0), 0)
    await asyncio.wait_for(failing.wait(), 30)
    await consumer.stop()


async def test_a_consumer_that_is_stopped_while_the_broker_is_away_does_not_cancel_who_stops_it(kafka: str) -> None:
    survive_lost_connections()
    await ensure_topics(kafka, 1)
    await wait_for_topics(kafka)
    await _stopped_without_a_broker(kafka)
