"""A topic of the catalogue from now on, its dead-letter queue, and a handler."""

import pytest
from subscribing import DLQ, TOPIC, Handler
from support.kafka.topics import Place

from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics, wait_for_topics


@pytest.fixture(scope="module")
async def broker(kafka: str) -> str:
    await ensure_topics(KafkaAccess(kafka), 1)
    await wait_for_topics(KafkaAccess(kafka), "jobstore")
    return kafka


@pytest.fixture
async def place(broker: str) -> Place:
    return await Place.now(broker, TOPIC)


@pytest.fixture
async def dlq(broker: str) -> Place:
    return await Place.now(broker, DLQ)


@pytest.fixture
def handler() -> Handler:
    return Handler()
