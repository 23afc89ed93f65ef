"""The catalogue's topics on a real broker, seen from where a test began: others' records lie before it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from contracts.topics import TOPICS


class Place:
    """A topic from now on, and a consumer group that begins here."""

    def __init__(self, kafka: str, topic: str) -> None:
        self.kafka, self.topic = kafka, topic
        self.group = f"test-{uuid4()}"
        self._partitions = [TopicPartition(topic, number) for number in range(TOPICS[topic].partitions)]
        self._begin: dict[TopicPartition, int] = {}

    @classmethod
    async def now(cls, kafka: str, topic: str) -> "Place":
        place = cls(kafka, topic)
        own = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=place.group, enable_auto_commit=False)
        async with own as consumer:
            place._begin = await consumer.end_offsets(place._partitions)
            consumer.assign(place._partitions)
            await consumer.commit(place._begin)
        return place

    async def put(
        self,
        *values: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = 0,
        timestamp_ms: int | None = None,
    ) -> None:
        """Publish as anybody might, into one partition, so that the records come in one batch and in order."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka, max_request_size=64 << 20, compression_type="gzip", linger_ms=50
        )
        async with producer:
            batch = [
                await producer.send(
                    self.topic, value, b"job-1", partition, headers=list(headers), timestamp_ms=timestamp_ms
                )
                for value in values
            ]
            for sent in batch:
                await sent

    async def records(self, count: int) -> list[ConsumerRecord]:
        """The first so many records since, and a failure when there are more."""
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka) as consumer:
            consumer.assign(self._partitions)
            for partition, offset in self._begin.items():
                consumer.seek(partition, offset)
            records: list[ConsumerRecord] = []
            while len(records) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
            ends = await consumer.end_offsets(self._partitions)
        assert sum(ends.values()) - sum(self._begin.values()) == count
        return records

    async def uncommitted(self) -> int:
        """How many records the group has not committed."""
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=self.group) as consumer:
            ends = await consumer.end_offsets(self._partitions)
            committed = [await consumer.committed(partition) or 0 for partition in self._partitions]
            return sum(ends.values()) - sum(committed)


def count_calls(target: Any, method: str) -> list[tuple[Any, ...]]:
    """The arguments of each call of a method from now on."""
    calls: list[tuple[Any, ...]] = []
    wrapped = getattr(target, method)

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return wrapped(*args, **kwargs)

    setattr(target, method, call)
    return calls


def count_requests(client: Any) -> Counter[str]:
    """How many requests of each kind a consumer or producer sends from now on."""
    counts: Counter[str] = Counter()
    sender = client.client if isinstance(client, AIOKafkaProducer) else client._client
    send = sender.send

    async def counted(node_id: int, request: Any, **kwargs: Any) -> Any:
        counts[type(request).__name__.partition("_")[0]] += 1
        return await send(node_id, request, **kwargs)

    sender.send = counted
    return counts
