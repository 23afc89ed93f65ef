"""Create the catalogue's topics on a broker, wait for them, and ask how far they reach."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from faststream.kafka import KafkaBroker

from contracts.topics import TOPICS
from servicekit.errors import TransientError
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode

#: Seconds until a question where topics end is given up; by itself a consumer asks for ever.
OFFSETS_TIMEOUT_S = 10.0


async def ensure_topics(kafka: str, replication: int) -> None:
    """Create the catalogue's topics that are missing; wait until the broker is there."""
    await retry_transient(lambda: _create_missing(kafka, replication), on="kafka")


async def wait_for_topics(kafka: str) -> None:
    """Wait until the catalogue's topics are there."""
    await retry_transient(lambda: _check_topics(kafka), on="kafka topics")


async def start_consuming(broker: KafkaBroker, ensure: Callable[[], Awaitable[None]]) -> None:
    """Start the consumers of a broker. Where it came back empty meanwhile, ensure its topics, and start them again."""

    async def start() -> None:
        try:
            await broker.start()
        except (UnknownTopicOrPartitionError, KafkaConnectionError) as error:
            await broker.stop()
            await ensure()
            raise TransientError(f"consuming did not begin: {error!r}", code=ErrorCode.KAFKA_UNAVAILABLE) from error

    await retry_transient(start, on="kafka topics")


async def _check_topics(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, client_id="signoff-topics")
    try:
        await admin.start()
        missing = set(TOPICS) - set(await admin.list_topics())
    except (KafkaError, OSError) as error:
        raise TransientError(str(error), code=ErrorCode.KAFKA_UNAVAILABLE) from error
    finally:
        await admin.close()
    if missing:
        raise TransientError(f"missing: {', '.join(sorted(missing))}", code=ErrorCode.TOPICS_MISSING)


async def _create_missing(kafka: str, replication: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, client_id="signoff-topics")
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        new = [
            NewTopic(t.name, num_partitions=t.partitions, replication_factor=replication, topic_configs=t.settings)
            for t in TOPICS.values()
            if t.name not in existing
        ]
        answer = await admin.create_topics(new) if new else None
        for name, code, *_ in answer.topic_errors if answer else ():
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise TransientError(f"{name}: {error.__name__}", code=ErrorCode.TOPIC_NOT_CREATED)
    except (KafkaError, OSError) as error:
        raise TransientError(str(error), code=ErrorCode.KAFKA_UNAVAILABLE) from error
    finally:
        await admin.close()


class Topics:
    """Ask the broker how far its topics reach. Methods raise TransientError while it is out of reach."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None

    async def end_offsets(self, topic: str) -> Mapping[int, int]:
        """Return the next offset of each partition."""
        try:
            async with asyncio.timeout(OFFSETS_TIMEOUT_S):
                if self._consumer is None:
                    self._consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, client_id="signoff-topics")
                    await self._consumer.start()
                count = TOPICS[topic].partitions
                ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in range(count)])
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise TransientError(str(error), code=ErrorCode.KAFKA_UNAVAILABLE) from error
        return {partition.partition: offset for partition, offset in ends.items()}

    async def find_spans(self, topic: str) -> Mapping[int, range]:
        """Return the offsets that each partition of a topic holds."""
        ends = await self.end_offsets(topic)
        assert self._consumer is not None
        try:
            begins = await self._consumer.beginning_offsets([TopicPartition(topic, number) for number in ends])
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise TransientError(str(error), code=ErrorCode.KAFKA_UNAVAILABLE) from error
        return {number: range(begins[TopicPartition(topic, number)], end) for number, end in ends.items()}

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
