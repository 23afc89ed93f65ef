"""Publish to Kafka without losing an event, for as long as it takes or within a time."""

import asyncio
import contextlib
import logging
import math
import random
import time
import zlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.structs import RecordMetadata

from contracts.events import Event
from contracts.signing import SIGNATURE_HEADER, SigningKey
from contracts.topics import MESSAGE_MAX_BYTES, TOPIC_OF
from servicekit import clock
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import FORBIDDEN, KafkaAccess
from servicekit.patches import InvalidRecordError
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode
from signoff.values import time_text

log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes]]

#: How long the producer may take to accept records: longer than its own limits, which a closed one does not keep.
ENQUEUE_TIMEOUT_S = 20.0
#: How long a publisher that is closed waits for what is under way: an idempotent producer itself waits for ever.
CLOSE_TIMEOUT_S = 3.0
#: Events under way that were published without waiting; in an outage of the broker, those beyond it are dropped.
SOON_MAX = 5_000


class UnacknowledgedError(TransientError):
    """A record was not acknowledged in time, and may still be published: the future `ack` ends when that is known."""

    def __init__(self, ack: asyncio.Future[Any]) -> None:
        super().__init__("not acknowledged in time", code=ErrorCode.KAFKA_UNAVAILABLE)
        self.ack = ack


_REFUSALS: dict[type[KafkaError], str] = {
    MessageSizeTooLargeError: ErrorCode.MESSAGE_TOO_LARGE,
    RecordListTooLargeError: ErrorCode.MESSAGE_TOO_LARGE,
    InvalidTimestampError: ErrorCode.MESSAGE_REFUSED,
    InvalidRecordError: ErrorCode.MESSAGE_REFUSED,
}
#: The timestamp type of an acknowledgement that carries the broker's own time. aiokafka has no name for it.
_BROKER_TIME = 1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish. Without a partition, its key chooses one."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None


def name_source(part: str, installation: str = "") -> str:
    """Return the CloudEvents `source` of a part of an installation."""
    return f"/signoff/{installation}/{part}" if installation else f"/signoff/{part}"


def build_event_headers(
    event_id: UUID, event_type: str, source: str | None, at: datetime, subject: str | None, schema: str = ""
) -> list[tuple[str, bytes]]:
    """Return the headers of a CloudEvent in binary mode (CloudEvents' Kafka protocol binding, 3.2).

    `source` is the part of an installation that writes the event; None if the signer adds the source. `schema` is a
    `$id` in proto/schemas, by default that of the event's type.
    """
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_type": event_type,
        "ce_source": source,
        "ce_subject": subject,
        "ce_time": time_text(at),
        "ce_dataschema": f"urn:{(schema or event_type).replace('.', ':')}",
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in attributes.items() if value]


def to_record(
    event: Event,
    part: str,
    installation: str = "",
    *,
    keyed: bool = True,
    headers: Headers = (),
    signed_by: SigningKey | None = None,
) -> Outgoing:
    """Return the record of an event as a CloudEvent in binary mode from a part of an installation, signed if asked."""
    key = event.key.encode() if keyed and event.key is not None else None
    attributes = build_event_headers(
        event.event_id, event.type, name_source(part, installation), clock.now(), event.key
    )
    value = event.model_dump_json(exclude_none=True, exclude_defaults=False).encode()
    signature = [(SIGNATURE_HEADER, signed_by.sign(value).encode())] if signed_by is not None else []
    return Outgoing(TOPIC_OF[type(event)], value, key, [*attributes, *headers, *signature])


def choose_partition(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """Choose the partition of a key by its CRC-32, and without a key any partition whose leader is known.

    aiokafka's own hash is written in Python and took 5 % of the CPU.
    """
    if key is None:
        return random.choice(available or partitions)  # noqa: S311 - no secret
    return zlib.crc32(key) % len(partitions)


class Publisher:
    """Publish in order through an idempotent producer, and replace the producer after an error that breaks it.

    A broker that came back empty numbers its producers from the beginning, so that an older producer may have the
    number of a new one. The broker then takes records of one for repeats of the other's: it acknowledges, and drops
    them. Such an acknowledgement has the time at which the first record was written; others have no time. So a record
    that is acknowledged with a time is sent again by a new producer. If the new producer's acknowledgements have times,
    too, the topic stamps all records with times, and the acknowledgements are believed.
    """

    def __init__(
        self,
        kafka: KafkaAccess,
        source: str,
        installation: str = "",
        enqueue_timeout_s: float = ENQUEUE_TIMEOUT_S,
        message_max_bytes: int = MESSAGE_MAX_BYTES,
    ) -> None:
        #: How brokers are reached.
        self.kafka = kafka
        self._message_max_bytes = message_max_bytes
        self._part = source
        self._installation = installation
        self._enqueue_timeout_s = enqueue_timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._replacing = asyncio.Lock()
        self._doubted: dict[str, AIOKafkaProducer] = {}
        self._soon: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def set_installation(self, installation: str) -> None:
        """Set the installation of this service, which events name in their source."""
        self._installation = installation

    async def start(self) -> None:
        """Connect to Kafka; try again without end until the broker is reachable."""
        self._producer = await retry_transient(self._connect, on="kafka")

    async def stop(self) -> None:
        """Wait at most CLOSE_TIMEOUT_S seconds until the records under way are sent, then close."""
        await _wait_for(self._soon, CLOSE_TIMEOUT_S / 2)
        for task in self._soon:
            task.cancel()
        if self._producer is not None:
            self._close(self._producer)
        await _wait_for(self._closing, CLOSE_TIMEOUT_S / 2)

    def _close(self, producer: AIOKafkaProducer) -> None:
        """Close a producer in the background, since it first sends all its records."""
        task = asyncio.create_task(producer.stop())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _connect(self) -> AIOKafkaProducer:
        producer = self.kafka.make_producer(
            client_id=f"signoff-{self._part}",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            partitioner=choose_partition,
            max_batch_size=256 * 1024,
            max_request_size=self._message_max_bytes,
            request_timeout_ms=15_000,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise await self.kafka.explain(error) from error
        except asyncio.CancelledError:
            await producer.stop()
            raise
        return producer

    async def _replace(self, broken: AIOKafkaProducer) -> None:
        async with self._replacing:  # of many that meet the same broken producer, one replaces it
            if self._producer is broken:
                self._producer = await self._connect()
                self._close(broken)

    async def send(
        self, records: Sequence[Outgoing], within_s: float | None = None
    ) -> list[RecordMetadata | Exception]:
        """Publish records in order. Return for each its place in Kafka, or its error.

        PermanentError (`message_too_large`, `message_refused`): the broker refused the record, or its batch, for good.
        UnacknowledgedError: there was no acknowledgement within `within_s` seconds (None: wait without end).
        """
        began_at = time.monotonic()
        producer = self._producer
        if producer is None:
            raise TransientError("not connected to Kafka yet", code=ErrorCode.KAFKA_UNAVAILABLE)
        pending: list[Any] = []  # acknowledgements to come, or the error
        try:
            async with asyncio.timeout(min(self._enqueue_timeout_s, within_s or math.inf)):
                for record in records:
                    headers = list(record.headers)
                    ack = await producer.send(
                        record.topic, record.value, key=record.key, partition=record.partition, headers=headers
                    )
                    pending.append(ack)
        except (KafkaError, OSError) as error:
            pending.append(error)  # later records must not overtake it, and are not sent
        left_s = None if within_s is None else max(0.0, began_at + within_s - time.monotonic())
        answers = await _await_answers([ack for ack in pending if not isinstance(ack, Exception)], left_s)
        acks = iter(answers)
        results = [self._read_ack(producer, item if isinstance(item, Exception) else next(acks)) for item in pending]
        # The broker misses the number of a refused record, and takes nothing more of this producer.
        is_broken = any(isinstance(answer, Exception) for answer in answers)
        # A producer that is only late is kept: its records come before those that it is given next.
        is_late = any(isinstance(answer, UnacknowledgedError) for answer in answers)
        lost = next((result for result in results if isinstance(result, TransientError)), None)
        if unsent := len(records) - len(results):
            not_sent = TransientError("not sent: a record before it failed", code=ErrorCode.KAFKA_UNAVAILABLE)
            results += [not_sent] * unsent
        if lost is not None:
            log.warning("publishing failed", extra={"reason": str(lost), "records": len(records)})
        if (lost is not None or is_broken) and not is_late:
            with contextlib.suppress(TransientError):
                await self._replace(producer)
        return results

    def _read_ack(self, producer: AIOKafkaProducer, ack: Any) -> RecordMetadata | Exception:
        if (code := _REFUSALS.get(type(ack))) is not None:
            return PermanentError(str(ack), code=code)
        if isinstance(ack, UnacknowledgedError):
            return ack
        if isinstance(ack, FORBIDDEN):
            return self.kafka.forbid(ack)
        if isinstance(ack, BaseException):
            return TransientError(repr(ack), code=ErrorCode.KAFKA_UNAVAILABLE)
        metadata: RecordMetadata = ack
        if metadata.timestamp_type != _BROKER_TIME:
            self._doubted.pop(metadata.topic, None)
        elif self._doubted.setdefault(metadata.topic, producer) is producer:
            return TransientError(f"{metadata.topic}: acknowledged as a repeat", code=ErrorCode.KAFKA_UNAVAILABLE)
        return metadata

    def _to_record(self, event: Event, **options: Any) -> Outgoing:
        return to_record(event, self._part, self._installation, **options)

    async def publish(self, *events: Event, keyed: bool = True, headers: Headers = ()) -> None:
        """Publish events and wait until all are acknowledged.

        Raise TransientError if an event may not have been published, PermanentError if the broker refused one for good.
        """
        await self.publish_records([self._to_record(event, keyed=keyed, headers=headers) for event in events])

    async def publish_report(self, report: Event, lease: SigningKey) -> None:
        """Publish a report, signed with the key of its lease; raise as `publish` does."""
        await self.publish_records([self._to_record(report, signed_by=lease)])

    async def publish_records(self, records: Sequence[Outgoing]) -> None:
        """Publish records and wait until all are acknowledged; raise as `publish` does."""
        for result in await self.send(records):
            if isinstance(result, Exception):
                raise result

    def publish_report_soon(self, report: Event, lease: SigningKey) -> None:
        """Publish a signed report without waiting; a failure is logged, and the report may be lost."""
        if len(self._soon) >= SOON_MAX:
            reason = f"{SOON_MAX} others are under way"
            log.warning("event dropped", extra=_name(report) | {"reason": reason})
            return
        task = asyncio.create_task(self._publish_logged(report, lease))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _publish_logged(self, report: Event, lease: SigningKey) -> None:
        try:
            await self.publish_report(report, lease)
        except TransientError:
            return  # send() logs it
        except PermanentError as error:
            log.warning("event refused", extra=_name(report) | {"reason": str(error)})


def _name(report: Event) -> dict[str, str]:
    """Return the ids of an event for a line about it."""
    ids = {name: getattr(report, name, None) for name in ("job_id", "execution_id", "event_id")}
    return {name: str(value) for name, value in ids.items() if value}


async def _await_answers(acks: Sequence[asyncio.Future[Any]], within_s: float | None) -> list[Any]:
    """Return each record's acknowledgement or error; UnacknowledgedError if neither came within `within_s` seconds."""
    if within_s is None or not acks:
        return await asyncio.gather(*acks, return_exceptions=True)
    await asyncio.wait(acks, timeout=within_s)
    return [(ack.exception() or ack.result()) if ack.done() else UnacknowledgedError(ack) for ack in acks]


async def _wait_for(tasks: Collection[asyncio.Task[None]], timeout_s: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=timeout_s)


#: Seconds until records that are not acknowledged are given up: longer than a broker takes to lead a partition again.
WITHIN_S: Final = 6.0
#: It doubles each time, up to this, until records are acknowledged in time: on a slow link large ones take as long.
WITHIN_MAX_S: Final = 640.0
#: Seconds between two tries to make the topics, without which nothing that is under way would be acknowledged.
MAKE_EVERY_S: Final = 1.0


class BoundedPublisher:
    """Publish as a Publisher does, but give up records that are not acknowledged in time.

    A record that was given up may still be published, in its order, while this process lives: an idempotent producer
    never drops a record. `wait` returns once there is no such record; until then another process publishes instead.
    """

    def __init__(self, publisher: Publisher, within_s: float = WITHIN_S) -> None:
        self._publisher = publisher
        self._first_s = self._within_s = within_s
        self._late: set[asyncio.Future[Any]] = set()

    async def send(self, records: Sequence[Outgoing]) -> list[RecordMetadata | Exception]:
        """Publish records in order; return for each its place, or its error, as `Publisher.send` does."""
        results = await self._publisher.send(records, within_s=self._within_s)
        late = [result.ack for result in results if isinstance(result, UnacknowledgedError)]
        self._within_s = min(WITHIN_MAX_S, 2 * self._within_s) if late else self._first_s
        for ack in late:
            self._late.add(ack)
            ack.add_done_callback(self._note_end)
        return results

    async def publish_records(self, records: Sequence[Outgoing]) -> None:
        """Publish records; raise as `Publisher.publish` does, also if one is not acknowledged in time."""
        for result in await self.send(records):
            if isinstance(result, Exception):
                raise result

    def _note_end(self, ack: asyncio.Future[Any]) -> None:
        self._late.discard(ack)
        if not ack.cancelled():
            ack.exception()  # retrieved, so that asyncio logs none of a record that was given up

    async def wait(self, make_topics: Callable[[], Awaitable[None]]) -> None:
        """Wait until the broker took or refused all records given up; without any, until `make_topics` is done."""
        making = asyncio.ensure_future(make_topics())
        try:
            if not self._late:
                await making
            while self._late:
                await asyncio.wait(self._late, timeout=MAKE_EVERY_S)
                if making.done():
                    making.result()
                    making = asyncio.ensure_future(make_topics())
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
