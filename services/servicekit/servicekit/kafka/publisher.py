"""Publishing events to Kafka without losing one."""

import asyncio
import contextlib
import logging
import random
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from contracts.events import Event
from contracts.topics import MESSAGE_MAX_BYTES, TOPIC_OF
from servicekit.errors import PermanentError, TransientError
from servicekit.retry import retry_transient

log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes]]

#: A record is taken by the producer in this time: longer than its own limits, which a closed one does not keep.
ENQUEUE_TIMEOUT_S = 20.0
#: How long a publisher that is closed waits for what is under way: an idempotent producer itself waits for ever.
CLOSE_TIMEOUT_S = 3.0
#: Events published without waiting; beyond it they are dropped, which is what an outage of the broker comes to.
SOON_MAX = 5_000


#: Of an acknowledged record's time: the broker's own. aiokafka has no name for it.
_WRITTEN_AT = 1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: Headers = ()


def outgoing(event: Event, source: str, *, keyed: bool = True, headers: Headers = ()) -> Outgoing:
    """An event as a CloudEvent in binary mode."""
    key = event.key.encode() if keyed and event.key is not None else None
    attributes = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.event_id).encode()),
        ("ce_type", event.type.encode()),
        ("ce_source", f"/signoff/{source}".encode()),
        ("ce_time", datetime.now(UTC).isoformat().encode()),
        ("content-type", b"application/json"),
    ]
    value = event.model_dump_json(exclude_none=True, exclude_defaults=False).encode()
    return Outgoing(TOPIC_OF[type(event)], value, key, [*attributes, *headers])


def by_checksum(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """The partition of a key; without one, any that answers. aiokafka's own hash, in Python, took 5 % of the CPU."""
    if key is None:
        return random.choice(available or partitions)  # noqa: S311 - no secret
    return zlib.crc32(key) % len(partitions)


class Publisher:
    """An idempotent producer that is made anew when it has met an error that it does not survive.

    A broker that came back empty numbers its producers from the beginning, so that an older producer may have the
    number of a new one. What it sends is then taken for a repeat of the other's: acknowledged, and dropped. The broker
    tells a repeat by the time at which it was first written, which other records do not have. So a repeat is sent
    again, by a new producer. Where that is told of the new one's records, too, the topic has such times for all.
    """

    def __init__(self, kafka: str, source: str, enqueue_timeout_s: float = ENQUEUE_TIMEOUT_S) -> None:
        self._kafka = kafka
        self._source = source
        self._enqueue_timeout_s = enqueue_timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._doubted: dict[str, AIOKafkaProducer] = {}
        self._soon: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; waits for the broker."""
        self._producer = await retry_transient(self._connected, on="kafka")

    async def stop(self) -> None:
        """Send what is under way, as far as the broker takes it in time, then close."""
        await _ended(self._soon, CLOSE_TIMEOUT_S / 2)
        for task in self._soon:
            task.cancel()
        if self._producer is not None:
            self._close(self._producer)
        await _ended(self._closing, CLOSE_TIMEOUT_S / 2)

    def _close(self, producer: AIOKafkaProducer) -> None:
        """Close in the background: it takes until all that it was given has been sent."""
        task = asyncio.create_task(producer.stop())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _connected(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            client_id=f"signoff-{self._source}",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            partitioner=by_checksum,
            max_batch_size=256 * 1024,
            max_request_size=MESSAGE_MAX_BYTES,
            request_timeout_ms=15_000,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise TransientError(str(error), code="kafka_unavailable") from error
        except asyncio.CancelledError:
            await producer.stop()
            raise
        return producer

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        async with self._renewing:
            if self._producer is broken:
                self._producer = await self._connected()
                self._close(broken)

    async def send(self, records: Sequence[Outgoing]) -> list[RecordMetadata | Exception]:
        """Publish in order; where each record stands, or why it does not. PermanentError: it is too large."""
        producer = self._producer
        assert producer is not None, "start() first"
        sent: list[Any] = []
        for record in records:
            try:
                headers = list(record.headers)
                async with asyncio.timeout(self._enqueue_timeout_s):
                    sent.append(await producer.send(record.topic, record.value, key=record.key, headers=headers))
            except (KafkaError, OSError) as error:
                sent.append(error)
                break  # what follows must not come before it
        acks = iter(await asyncio.gather(*(s for s in sent if not isinstance(s, Exception)), return_exceptions=True))
        results = [self._result(producer, item if isinstance(item, Exception) else next(acks)) for item in sent]
        lost = next((result for result in results if isinstance(result, TransientError)), None)
        results += [TransientError("not sent", code="kafka_unavailable")] * (len(records) - len(results))
        if lost is not None:
            log.warning("publishing failed", extra={"reason": str(lost), "records": len(records)})
            with contextlib.suppress(TransientError):
                await self._renew(producer)
        return results

    def _result(self, producer: AIOKafkaProducer, ack: Any) -> RecordMetadata | Exception:
        if isinstance(ack, MessageSizeTooLargeError):
            return PermanentError(str(ack), code="message_too_large")
        if isinstance(ack, BaseException):
            return TransientError(repr(ack), code="kafka_unavailable")
        metadata: RecordMetadata = ack
        if metadata.timestamp_type != _WRITTEN_AT:
            self._doubted.pop(metadata.topic, None)
        elif self._doubted.setdefault(metadata.topic, producer) is producer:
            return TransientError(f"{metadata.topic}: acknowledged as a repeat", code="kafka_unavailable")
        return metadata

    async def publish(self, *events: Event, keyed: bool = True, headers: Headers = ()) -> None:
        """Publish and have it acknowledged. TransientError: not all may have been. PermanentError: one is too large."""
        records = [outgoing(event, self._source, keyed=keyed, headers=headers) for event in events]
        for result in await self.send(records):
            if isinstance(result, Exception):
                raise result

    def publish_soon(self, event: Event) -> None:
        """Publish without waiting; what fails is logged, and may be lost."""
        if len(self._soon) >= SOON_MAX:
            log.warning("not published", extra={"event_id": str(event.event_id), "reason": "too many are under way"})
            return
        task = asyncio.create_task(self._publish_logged(event))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _publish_logged(self, event: Event) -> None:
        with contextlib.suppress(TransientError):  # send() logs it
            await self.publish(event)


async def _ended(tasks: Collection[asyncio.Task[None]], timeout_s: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=timeout_s)
