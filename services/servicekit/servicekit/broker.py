"""Kafka at the edge of a service: publishing events, and consuming batches of them without losing one."""

import asyncio
import contextlib
import logging
import random
import time
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError, for_code
from aiokafka.structs import RecordMetadata
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from pydantic import ValidationError

from contracts.events import Event
from contracts.topics import MESSAGE_MAX_BYTES, REPLAY_HEADER, TOPIC_OF, TOPICS, Topic
from servicekit.errors import PermanentError, SignoffError, TransientError
from servicekit.metrics import BATCH_RECORDS, DEAD_LETTERS
from servicekit.retry import settle, until_answered

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Headers = Sequence[tuple[str, bytes]]

COMMIT_TIMEOUT_S = 10.0
#: What a batch under way is given to end in when the service stops: its claims are answered, and so not lost.
BATCH_GRACE_S = 5.0
#: A record is taken by the producer in this time: longer than its own limits, which a closed one does not keep.
ENQUEUE_TIMEOUT_S = 20.0
#: How long a publisher that is closed waits for what is under way: an idempotent producer itself waits for ever.
CLOSE_TIMEOUT_S = 3.0
#: Events published without waiting; beyond it they are dropped, which is what an outage of the broker comes to.
SOON_MAX = 5_000
#: What a dead letter has beside the record's own body, key and headers.
DEAD_LETTER_BYTES = 4_096
REASON_MAX = 1_000
#: Longer than any outage: a batch that waits inside its handler keeps its partitions, since nothing else polls them.
POLL_INTERVAL_MAX_MS = 24 * 3600 * 1000


class ConsumerDeadError(SignoffError):
    """A consumer that will not come back by itself."""

    code = "consumer_dead"


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
    """An idempotent producer that is made anew when it has met an error that it does not survive."""

    def __init__(self, kafka: str, source: str, enqueue_timeout_s: float = ENQUEUE_TIMEOUT_S) -> None:
        self._kafka = kafka
        self._source = source
        self._enqueue_timeout_s = enqueue_timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._soon: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; waits for the broker."""
        self._producer = await until_answered(self._connected, on="kafka")

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
        results = [_result(item if isinstance(item, Exception) else next(acks)) for item in sent]
        lost = next((result for result in results if isinstance(result, TransientError)), None)
        results += [TransientError("not sent", code="kafka_unavailable")] * (len(records) - len(results))
        if lost is not None:
            log.warning("publishing failed", extra={"reason": str(lost), "records": len(records)})
            with contextlib.suppress(TransientError):
                await self._renew(producer)
        return results

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


def _result(ack: Any) -> RecordMetadata | Exception:
    if isinstance(ack, MessageSizeTooLargeError):
        return PermanentError(str(ack), code="message_too_large")
    if isinstance(ack, BaseException):
        return TransientError(repr(ack), code="kafka_unavailable")
    metadata: RecordMetadata = ack
    return metadata


@dataclass(frozen=True, slots=True)
class Incoming(Generic[E]):
    """An event that arrived, and the record that brought it."""

    event: E
    record: ConsumerRecord[bytes | None, bytes | None]
    replay: bool = False

    @property
    def size(self) -> int:
        """Bytes of the record's body."""
        return len(self.record.value or b"")


@dataclass(slots=True)
class Subscription(Generic[E]):
    """One topic read by one consumer group: bad records to the dead-letter queue, good ones to `handle`, then a commit.

    `handle` answers one result a record: a PermanentError sends the record to the dead-letter queue. TransientErrors
    are waited out, in it or here; the partitions wait meanwhile. Any other error that it raises splits the batch until
    one record stands alone, which goes to the dead-letter queue.
    """

    publisher: Publisher
    event: type[E]
    group: str
    handle: Callable[[Sequence[Incoming[E]]], Awaitable[Sequence[Any]]]
    payload_max_bytes: int = MESSAGE_MAX_BYTES
    consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
    dead_after_s: float = 60.0
    _handling_since: float | None = None
    _broken: Exception | None = None

    @property
    def topic(self) -> Topic:
        """The topic's entry in the catalogue."""
        return TOPICS[TOPIC_OF[self.event]]

    def attach(self, broker: KafkaBroker, *, max_records: int) -> None:
        """Register with FastStream; every default that could lose a record is set explicitly."""
        subscriber = broker.subscriber(
            self.topic.name,
            group_id=self.group,
            batch=True,
            max_records=max_records,
            batch_timeout_ms=20,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=1 << 20,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
            max_poll_interval_ms=POLL_INTERVAL_MAX_MS,
            parser=_records,
            decoder=_as_they_are,
        )
        subscriber(self._on_records)
        self.consumer = lambda: subscriber.consumer

    def check(self) -> str | None:
        """Why nothing is consumed, or None."""
        consumer = self.consumer()
        if self._broken is not None:
            return f"failed: {self._broken!r}"
        if consumer is None:
            return "not started"
        if self._handling_since is not None:
            waiting_s = time.monotonic() - self._handling_since
            return f"one batch has waited for {waiting_s:.0f} s" if waiting_s > self.dead_after_s else None
        idle_s = consumer._subscription.fetcher_idle_time  # noqa: SLF001 - since the last poll without an error; no public way
        return f"not polled for {idle_s:.0f} s" if idle_s > self.dead_after_s else None

    async def watch(self) -> None:
        """Raise when the consumer is dead for good, so that the process ends; a batch that waits is none."""
        while True:
            await asyncio.sleep(min(1.0, self.dead_after_s / 4))
            if self._handling_since is None and (reason := self.check()) is not None:
                raise ConsumerDeadError(f"{self.topic.name}: {reason}") from self._broken

    async def _on_records(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        if self._broken is not None:  # a commit would skip what was not handled
            return
        self._handling_since = time.monotonic()
        try:
            await self._handled(records)
        except Exception as error:
            log.exception("a batch could not be handled", extra={"topic": self.topic.name})
            self._broken = error
        finally:
            self._handling_since = None

    async def _handled(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        BATCH_RECORDS.labels(self.topic.name).observe(len(records))
        good: list[Incoming[E]] = []
        bad: list[tuple[ConsumerRecord[Any, Any], PermanentError]] = []
        for record in records:
            try:
                good.append(decode(self.event, record, self.payload_max_bytes))
            except PermanentError as error:
                bad.append((record, error))
        if good:
            results = await until_answered(lambda: settle(good, self.handle), on=f"{self.topic.name} handler")
            bad += [(i.record, r) for i, r in zip(good, results, strict=True) if isinstance(r, PermanentError)]
        if bad:
            await until_answered(lambda: self._bury(bad), on="kafka")
        await self._commit(records)

    async def _bury(self, bad: Sequence[tuple[ConsumerRecord[Any, Any], PermanentError]]) -> None:
        assert self.topic.dlq is not None
        for result in await self.publisher.send([dead_letter(self.topic.dlq, record, error) for record, error in bad]):
            if isinstance(result, Exception):
                raise result
        for record, error in bad:
            DEAD_LETTERS.labels(record.topic, error.code).inc()
            where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            key = record.key.decode(errors="replace") if record.key else None
            log.error("dead letter", extra={**where, "job_id": key, "code": error.code, "reason": str(error)})

    async def _commit(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Commit what was handled. A commit that fails is only a repeat later, which changes nothing."""
        consumer = self.consumer()
        if consumer is None:
            return
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
        try:
            await asyncio.wait_for(consumer.commit(offsets), COMMIT_TIMEOUT_S)
        except (KafkaError, TimeoutError) as error:
            log.warning("offsets not committed", extra={"topic": self.topic.name, "reason": repr(error)})


async def _records(records: Any) -> KafkaMessage:
    """Keep the records raw: FastStream's own parser raises on a header that is not UTF-8, before any handler."""
    return KafkaMessage(body=b"", raw_message=records, consumer=None)  # type: ignore[arg-type] # committed by hand


async def _as_they_are(message: KafkaMessage) -> Any:
    return message.raw_message


def decode(event: type[E], record: ConsumerRecord[Any, Any], payload_max_bytes: int) -> Incoming[E]:
    """The event of a record. PermanentError: it holds none."""
    body = record.value
    if body is None:
        raise PermanentError("the record has no body", code="empty_body")
    if len(body) > payload_max_bytes:
        raise PermanentError(f"{len(body)} bytes exceed the limit of {payload_max_bytes}", code="payload_too_large")
    headers = dict(record.headers)
    for name, value in headers.items():
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            raise PermanentError(f"the header {name!r} is not UTF-8", code="malformed_header") from None
    try:
        return Incoming(event.model_validate_json(body), record, REPLAY_HEADER in headers)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        code = "malformed_json" if first["type"] == "json_invalid" else "schema_mismatch"
        where = ".".join(str(part) for part in first["loc"])  # may hold a stranger's keys, of any length
        raise PermanentError(f"{where[:REASON_MAX]}: {first['msg']}"[:REASON_MAX], code=code) from None


def dead_letter(dlq: str, record: ConsumerRecord[Any, Any], error: PermanentError) -> Outgoing:
    """The original bytes and headers, and what went wrong where.

    A record that would not fit, once unpacked (batches are compressed), leaves its body where it lies.
    """
    about = {
        "dlq-error-code": error.code,
        "dlq-error-message": str(error)[:REASON_MAX],
        "dlq-topic": record.topic,
        "dlq-partition": str(record.partition),
        "dlq-offset": str(record.offset),
        "dlq-time": datetime.now(UTC).isoformat(),
        "dlq-attempts": "1",
    }
    key, value = record.key, record.value if record.value is not None else b""
    kept = [(name, content) for name, content in record.headers if name not in about]
    size = sum(len(name) * 4 + len(content or b"") + 16 for name, content in kept) + len(key or b"")
    if size + len(value) > MESSAGE_MAX_BYTES - DEAD_LETTER_BYTES:
        about["dlq-body"], value = "omitted", b""
    if size > MESSAGE_MAX_BYTES - DEAD_LETTER_BYTES:
        about["dlq-headers"], kept, key = "omitted", [], None
    return Outgoing(dlq, value, key, [*kept, *((name, text.encode(errors="replace")) for name, text in about.items())])


def kafka_broker(kafka: str, service: str, batch_grace_s: float = BATCH_GRACE_S) -> KafkaBroker:
    """FastStream's broker, for subscribing. Stopped, it lets a batch that is being handled end, if that is soon."""
    return KafkaBroker(
        kafka,
        client_id=f"signoff-{service}",
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        graceful_timeout=batch_grace_s,
        logger=None,
    )


async def ensure_topics(kafka: str, replication: int) -> None:
    """Create the catalogue's topics that are missing; waits for the broker."""
    await until_answered(lambda: _ensure_topics(kafka, replication), on="kafka")


async def when_there(kafka: str) -> None:
    """Wait until the catalogue's topics are there."""
    await until_answered(lambda: _look(kafka), on="kafka topics")


async def _look(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, client_id="signoff-topics")
    try:
        await admin.start()
        missing = set(TOPICS) - set(await admin.list_topics())
    except (KafkaError, OSError) as error:
        raise TransientError(str(error), code="kafka_unavailable") from error
    finally:
        await admin.close()
    if missing:
        raise TransientError(f"missing: {', '.join(sorted(missing))}", code="topics_missing")


async def _ensure_topics(kafka: str, replication: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, client_id="signoff-topics")
    try:
        await admin.start()
        known = set(await admin.list_topics())
        new = [
            NewTopic(t.name, num_partitions=t.partitions, replication_factor=replication, topic_configs=t.settings)
            for t in TOPICS.values()
            if t.name not in known
        ]
        answer = await admin.create_topics(new) if new else None
        for name, code, *_ in answer.topic_errors if answer else ():
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise TransientError(f"{name}: {error.__name__}", code="topic_not_created")
    except (KafkaError, OSError) as error:
        raise TransientError(str(error), code="kafka_unavailable") from error
    finally:
        await admin.close()


class Topics:
    """Asks the broker how far its topics reach."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None

    async def end_offsets(self, topic: str) -> Mapping[int, int]:
        """The next offset of each partition. TransientError: the broker is out of reach."""
        try:
            if self._consumer is None:
                self._consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, client_id="signoff-topics")
                await self._consumer.start()
            count = TOPICS[topic].partitions
            ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in range(count)])
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise TransientError(str(error), code="kafka_unavailable") from error
        return {partition.partition: offset for partition, offset in ends.items()}

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()


def lag(consumer: AIOKafkaConsumer | None) -> int | None:
    """Records of the assigned partitions that were not read yet; None where that is not known."""
    if consumer is None:
        return None
    behind = 0
    for partition in consumer.assignment():
        high = consumer.highwater(partition)
        state = consumer._subscription.subscription.assignment.state_value(partition)  # noqa: SLF001 - no public way without awaiting
        if high is None or state is None or not state.has_valid_position:
            return None
        behind += max(0, high - state.position)
    return behind
