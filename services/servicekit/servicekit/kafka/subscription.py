"""Consume batches of events from Kafka without losing one."""

import asyncio
import contextlib
import logging
import re
import time
from collections import ChainMap, Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from pydantic import ValidationError

from contracts.events import Event
from contracts.fields import code_of_problem, describe_problem, find_problem
from contracts.signing import SIGNATURE_HEADER
from contracts.topics import MESSAGE_MAX_BYTES, REPLAY_HEADER, TOPIC_OF, TOPICS, Topic
from contracts.traceparent import TRACEPARENT, TRACEPARENT_CHARS
from servicekit import retry
from servicekit.errors import DoubtfulError, PermanentError, PostponedError, ServiceError
from servicekit.kafka.access import FORBIDDEN, KafkaAccess
from servicekit.kafka.dead_letters import (
    REASON_MAX,
    Place,
    Refused,
    add_repeats,
    bury_all,
    name_execution,
    names_execution,
    to_dead_letter,
)
from servicekit.kafka.delays import BatchDelay
from servicekit.kafka.postponed import Postponed
from servicekit.kafka.publisher import Outgoing, Publisher
from servicekit.metrics import BATCH_RECORDS, DEAD_LETTERS, REFUSED_RECORDS
from servicekit.patches import UnreadableBatch, note_failed_polls, skip_unreadable_batches
from servicekit.retry import isolate_failures, retry_transient
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

E = TypeVar("E")


def find_dead_task(consumer: AIOKafkaConsumer) -> str | None:
    """Return the duty of a consumer's task that has ended, so that a poll waits for ever; None if all tasks run."""
    tasks = {
        "refreshes its metadata": consumer._client._sync_task,  # noqa: SLF001 - no public way, as for the others
        "keeps its place in the group": getattr(consumer._coordinator, "_coordination_task", None),  # noqa: SLF001
        "fetches": consumer._fetcher and consumer._fetcher.error_future,  # noqa: SLF001
    }
    return next((what for what, task in tasks.items() if task is not None and task.done()), None)


def count_unread(consumer: AIOKafkaConsumer | None) -> int | None:
    """Count the unread records of the assigned partitions; None if that is not known."""
    if consumer is None or consumer._subscription.subscription.assignment is None:  # noqa: SLF001 - as below
        return None  # not started, or no member of its group yet
    unread = 0
    for partition in consumer.assignment():
        high = consumer.highwater(partition)
        state = consumer._subscription.subscription.assignment.state_value(partition)  # noqa: SLF001 - no public way without awaiting
        if high is None or state is None or not state.has_valid_position:
            return None
        unread += max(0, high - state.position)
    return unread


def find_position(consumer: AIOKafkaConsumer, place: TopicPartition) -> int | None:
    """Return the offset from which a poll waits for more of a partition; None while no poll waits.

    The offset is also behind transaction markers, which no poll returns.
    """
    subscriptions = consumer._subscription  # noqa: SLF001 - no public way, as for the others
    assignment = subscriptions.subscription and subscriptions.subscription.assignment
    if not subscriptions._fetch_count or not assignment or place not in assignment.tps:  # noqa: SLF001
        return None
    state = assignment.state_value(place)
    return int(state.position) if state.has_valid_position else None


#: Seconds between two commits of one consumer. Records handled since the last come again after a crash.
COMMIT_INTERVAL_S = 1.0
#: A commit that takes longer is given up, and tried again with the next.
COMMIT_TIMEOUT_S = 10.0


def read_progress(offset: int, metadata: str) -> int:
    """Return the progress that a commit records in `metadata`: beyond `offset` while a record is parked."""
    return max(offset, int(metadata)) if metadata.isdecimal() else offset


class HandledOffsets(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The offsets that a consumer may commit: none behind a record that is not handled, or is parked.

    `parked` has the places (topic, partition, offset) of records that are tried again beside the others. The metadata
    of a commit is the offset up to which all records but the parked ones are handled, transaction markers included.
    """

    def __init__(
        self,
        consumer: Callable[[], AIOKafkaConsumer | None],
        parked: Collection[tuple[str, int, int]],
        on_assigned: Callable[[], None] = lambda: None,
    ) -> None:
        self._consumer = consumer
        self._parked = parked
        self._on_assigned = on_assigned
        self._taken: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, tuple[int, str]] = {}
        #: Set to commit at once.
        self.soon = asyncio.Event()
        #: The number of the assignment. Records of an older one may be of a broker that has come back empty since.
        self.assignment = 0

    def note_taken(self, records: Iterable[ConsumerRecord[bytes | None, bytes | None]]) -> None:
        """Note records that a poll returned: until they are handled, the consumer's position is not committed."""
        for record in records:
            self._taken[TopicPartition(record.topic, record.partition)] = record.offset + 1

    def note_handled(self, records: Iterable[ConsumerRecord[bytes | None, bytes | None]], assignment: int) -> None:
        """Allow the commit of records that are handled or parked, unless read under an older assignment."""
        if assignment != self.assignment:
            return
        for record in records:
            self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1

    async def commit_regularly(self) -> None:
        """Commit the offsets that changed, every COMMIT_INTERVAL_S seconds and when `soon` is set, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_INTERVAL_S):
                    await self.soon.wait()
            self.soon.clear()
            await self.commit()

    async def commit(self, timeout_s: float = COMMIT_TIMEOUT_S) -> None:
        """Commit the offsets of handled records. If that fails, Kafka may deliver them again, which changes nothing."""
        consumer = self._consumer()
        if consumer is None:
            return
        found = {partition: self._find_offset(consumer, partition) for partition in consumer.assignment()}
        offsets = {partition: at for partition, at in found.items() if at and at != self._committed.get(partition)}
        if not offsets:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            topics = sorted({partition.topic for partition in offsets})
            reason = {"topics": topics, "reason": repr(error)}
            log.warning("offsets not committed, these records may come again", extra=reason)
        else:
            self._committed |= offsets

    def _find_offset(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> tuple[int, str] | None:
        """Return the offset and metadata to commit of a partition; None if there is no such offset yet."""
        read = self._next.get(partition)
        if read == self._taken.get(partition):  # all that was returned is handled
            read = find_position(consumer, partition) or read
        if read is None:
            return None
        parked = (at for topic, number, at in self._parked if (topic, number) == partition)
        return min([read, *parked]), str(read)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Commit before another consumer of the group goes on with these partitions."""
        del revoked  # of this group's protocol, all
        await self.commit()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Forget the offsets of older assignments: another consumer may be further, or the topic was emptied."""
        del assigned
        self.assignment += 1
        self._taken.clear()
        self._next.clear()
        self._committed.clear()
        self._on_assigned()


_BEGIN_OF_JSON: Final = re.compile(rb'[ \t\r\n]*[{\["0-9tfn-]')

V = TypeVar("V", bound=Event)

#: Stands for the records that are handled later, beside those that are parked one by one.
_POSTPONED: Final[Place] = ("", -1, -1)
#: Records that may be parked at once; beyond, the next batch waits.
PARKED_MAX = 100
#: Bytes of a record's key in the log.
KEY_MAX = 200
#: Seconds without another record, and seconds in all, after which a run of records that name no execution and fail
#: alike is over and leaves one dead letter.
RUN_QUIET_S = 2.0
RUN_MAX_S = 60.0
#: Seconds that a batch under way may take when the service stops, so that the answers to its claims are not lost.
BATCH_GRACE_S = 5.0
#: Seconds that the last commit before that may take.
LAST_COMMIT_TIMEOUT_S = 1.0
#: Seconds that stopping may take in all. A broker that is away notices by itself that a member has left.
STOP_TIMEOUT_S = BATCH_GRACE_S + LAST_COMMIT_TIMEOUT_S
#: Longer than any outage, so that a batch that waits in its handler keeps its partitions.
POLL_INTERVAL_MAX_MS = 24 * 3600 * 1000
#: A poll waits for records for ever, since FastStream sleeps after an empty one for as long as it took.
POLL_TIMEOUT_MS = 10 * 365 * POLL_INTERVAL_MAX_MS
#: A member of a group learns by its next heartbeat that another has left or joined. The partitions of one that has left
#: are not read until all have learnt it.
HEARTBEAT_MS = 1_000
#: How long the broker keeps a fetch that finds nothing; with 500 an idle system takes a tenth more CPU. It answers at
#: once when a partition that it names has a record; one whose records were being handled then is named by the next.
FETCH_MAX_WAIT_MS = 1_000
#: A group that was formed while its topic was missing, on a broker that came back empty, reads nothing until its leader
#: looks again.
METADATA_MAX_AGE_MS = 5_000


class ConsumerDeadError(ServiceError):
    """A consumer will not come back by itself: the process must start again."""

    code = ErrorCode.CONSUMER_DEAD


@dataclass(frozen=True, slots=True)
class Incoming(Generic[E]):
    """An event, or a body to be read elsewhere, with its record; `vouched_by` is the result of `check_record`."""

    event: E
    record: ConsumerRecord[bytes | None, bytes | None]
    replay: bool = False
    vouched_by: Any = None

    @property
    def size(self) -> int:
        """The number of bytes of the record's body."""
        return len(self.record.value or b"")

    @property
    def signature(self) -> str:
        """The value of the record's header `signoff-signature`; empty if there is no such header."""
        return (dict(self.record.headers).get(SIGNATURE_HEADER) or b"").decode()

    @property
    def traceparent(self) -> str:
        """The value of the record's header `traceparent`, cut where it is too long for one; empty if there is none."""
        return (dict(self.record.headers).get(TRACEPARENT) or b"")[: TRACEPARENT_CHARS + 1].decode("latin-1")


class UnparsedError(PermanentError):
    """A body holds no event. The message is made only when it is read, since most of these errors need none."""

    def __init__(self, error: ValidationError) -> None:
        self._problem = find_problem(error)
        super().__init__(code=code_of_problem(self._problem) or ErrorCode.SCHEMA_MISMATCH)

    def __str__(self) -> str:
        return describe_problem(self._problem)[:REASON_MAX]  # it may have a stranger's keys, of any length


@dataclass(slots=True)
class Run:
    """Records of a partition that name no execution and fail alike, and the dead letter of the first, if any."""

    first: Place
    error: PermanentError
    letters: Sequence[Outgoing]
    last_offset: int
    repeats: int = 0


def accept(record: ConsumerRecord[Any, Any]) -> None:
    """Accept every record."""


@dataclass(slots=True)
class Subscription(Generic[E]):
    """Read one topic in one consumer group: bad records to the dead-letter queue, good ones to `handle`.

    `handle` returns one result a record: a PermanentError sends the record to the dead-letter queue; a record with a
    DoubtfulError is parked, and tried again beside the others. Records with a PostponedError wait in their topic, any
    number of them, while those behind are handled. Each record that names an execution has its own dead letter; a run
    of records of a partition that name none, and fail alike, has one with their number. A TransientError is retried
    while the partitions wait. Any other error that `handle` raises splits the batch until one record stands alone,
    which goes to the dead-letter queue.

    `check_record` checks the signature of a record, unless this is a replay, before the record is parsed, and raises a
    PermanentError if the signature is not valid. `choose_dead` returns the refused records that become dead letters.
    `decode` is `keep_body` if the body is read elsewhere. Records are handled `delay_s` after they were written, but at
    once if the oldest of a batch is twice as old: then this reader is behind.
    """

    publisher: Publisher
    event: type[Event]
    group: str
    handle: Callable[[Sequence[Incoming[E]]], Awaitable[Sequence[Any]]]
    payload_max_bytes: int = MESSAGE_MAX_BYTES
    check_record: Callable[[ConsumerRecord[Any, Any]], object] = accept
    choose_dead: Callable[[Sequence[Refused]], Awaitable[Sequence[Refused]]] = bury_all
    decode: Callable[[Any, ConsumerRecord[Any, Any], int], Incoming[Any]] | None = None
    consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
    dead_after_s: float = 60.0
    delay_s: float = 0.0
    #: Called when partitions are assigned to this process, or none is.
    on_assigned: Callable[[], None] = lambda: None
    _handling_since: float | None = None
    _broken: Exception | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _delay: BatchDelay = field(default_factory=BatchDelay)
    #: Tasks that try parked records again, by topic, partition and offset.
    _parked: dict[Place, asyncio.Task[None]] = field(default_factory=dict)
    #: Runs that are not over, by topic, partition and code.
    _runs: dict[tuple[str, int, str], Run] = field(default_factory=dict)
    #: First records of runs whose dead letter is not published; a stop waits for it, else the next process repeats it.
    _unburied: set[Place] = field(default_factory=set)
    _postponed: Postponed = field(init=False)
    _offsets: HandledOffsets = field(init=False)

    def __post_init__(self) -> None:
        # Others are attached later.
        self._postponed = Postponed(self.topic.name, lambda: self.publisher.kafka, self._handle_records)
        held = ChainMap[Place, Any](self._parked, self._postponed.first)
        self._offsets = HandledOffsets(lambda: self.consumer(), held, self._note_assigned)  # noqa: PLW0108

    def _note_assigned(self) -> None:
        self._postponed.forget()
        self.on_assigned()

    @property
    def topic(self) -> Topic:
        """The topic's entry in the catalogue (contracts.topics)."""
        return TOPICS[TOPIC_OF[self.event]]

    @property
    def member_id(self) -> str | None:
        """The id of this process in the consumer group; None while the process is no member."""
        return getattr(getattr(self.consumer(), "_coordinator", None), "member_id", None) or None

    @property
    def partitions(self) -> int:
        """The number of partitions that this process reads."""
        consumer = self.consumer()
        return 0 if consumer is None else len(consumer.assignment())

    def attach(self, broker: KafkaBroker, *, max_records: int) -> None:
        """Register this subscription with FastStream; each default that could lose a record is set explicitly."""
        subscriber = broker.subscriber(
            self.topic.name,
            group_id=self.group,
            batch=True,
            max_records=max_records,
            batch_timeout_ms=POLL_TIMEOUT_MS,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            max_partition_fetch_bytes=1 << 20,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            listener=self._offsets,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=POLL_INTERVAL_MAX_MS,
            parser=_records,
            decoder=_as_they_are,
        )
        subscriber(self._on_records)
        self.consumer = lambda: subscriber.consumer

    def check(self) -> str | None:
        """Return the reason why no records are consumed, or None if they are."""
        if self._handling_since is not None:
            waiting_s = time.monotonic() - self._handling_since
            if waiting_s > self.dead_after_s:
                return f"one batch has waited for {waiting_s:.0f} s"
        return self._diagnose()

    def _diagnose(self) -> str | None:
        """Return why the process must restart to consume again, or None; aiokafka raises no error for that."""
        consumer = self.consumer()
        if self._broken is not None:
            return f"failed: {self._broken!r}"
        if consumer is None:
            return "not started"
        if (died := find_dead_task(consumer)) is not None:
            return f"aiokafka no longer {died}"
        if self._handling_since is not None:
            return None
        polls = consumer._subscription  # noqa: SLF001 - no public way
        idle_s, error = polls.fetcher_idle_time, getattr(polls, "poll_error", None)  # since the last without an error
        if isinstance(error, FORBIDDEN) and idle_s > retry.REFUSAL_S:
            return f"its polls are refused: {error}"
        return f"not polled for {idle_s:.0f} s" if idle_s > self.dead_after_s else None

    async def watch(self) -> None:
        """Commit regularly; raise ConsumerDeadError once the consumer is dead for good, which ends the process.

        A consumer whose batch waits for an outage to end is not dead.
        """
        committing = asyncio.create_task(self._offsets.commit_regularly())
        try:
            while True:
                await asyncio.sleep(min(1.0, self.dead_after_s / 4))
                if committing.done():
                    committing.result()
                if (reason := self._diagnose()) is not None:
                    raise ConsumerDeadError(f"{self.topic.name}: {reason}") from self._broken
        finally:
            parked = [task for place, task in self._parked.items() if place not in self._unburied]
            for task in (committing, *parked):  # no offset behind a parked record is committed
                task.cancel()

    def hurry(self) -> None:
        """Handle and commit the records that were read without delay, since a caller waits for them."""
        self._delay.hurry()
        self._offsets.soon.set()

    async def stop(self) -> None:
        """Handle no more batches, and commit; a batch under way commits as soon as it ends."""
        self._stopping.set()
        self._delay.end()
        if ending := [self._parked[place] for place in self._unburied]:
            await asyncio.wait(ending, timeout=LAST_COMMIT_TIMEOUT_S)
        await self._offsets.commit(LAST_COMMIT_TIMEOUT_S)
        if (waiting := self._parked.get(_POSTPONED)) is not None:
            waiting.cancel()
            await asyncio.wait({waiting})

    async def _on_records(self, records: list[ConsumerRecord[Any, Any]]) -> None:
        assignment = self._offsets.assignment
        self._offsets.note_taken(records)
        unread = count_unread(self.consumer()) if self.delay_s else None
        is_hurried = await self._delay.wait(records, self.delay_s, unread)
        if self._broken is not None or self._stopping.is_set():  # a commit would skip unhandled records
            return
        self._handling_since = time.monotonic()
        try:
            await self._handle_batch(records, assignment)
            if is_hurried:
                self._offsets.soon.set()
        except Exception as error:
            log.exception("a batch failed, nothing more is consumed", extra={"topic": self.topic.name})
            self._broken = error
        finally:
            self._handling_since = None
            records.clear()  # FastStream's message refers to itself, and would keep them until garbage is collected

    async def _handle_batch(self, records: Sequence[ConsumerRecord[Any, Any]], assignment: int) -> None:
        BATCH_RECORDS.labels(self.topic.name).observe(len(records))
        for record in await self._handle_records(records):
            self._postponed.add(record)
            if _POSTPONED not in self._parked:
                self._begin_parked(_POSTPONED, self._postponed.run())
        self._offsets.note_handled(records, assignment)
        if self._stopping.is_set():
            await self._offsets.commit(LAST_COMMIT_TIMEOUT_S)
        while len(parked := [task for task in self._parked.values() if not task.done()]) > PARKED_MAX:
            await asyncio.wait(parked, return_when=asyncio.FIRST_COMPLETED)

    async def _handle_records(self, records: Sequence[ConsumerRecord[Any, Any]]) -> list[ConsumerRecord[Any, Any]]:
        """Handle records, and return those that are to be handled later."""
        good: list[Incoming[E]] = []
        bad: list[Refused] = []
        later: list[ConsumerRecord[Any, Any]] = []
        for record in records:
            try:
                good.append(self._read(record))
            except PermanentError as error:
                bad.append((record, leave_frames(error)))
        if good:
            results = await retry_transient(
                lambda: isolate_failures(good, self.handle), on=f"{self.topic.name} handler"
            )
            for incoming, result in zip(good, results, strict=True):
                if isinstance(result, PostponedError):
                    later.append(incoming.record)
                elif isinstance(result, DoubtfulError):
                    self._park(incoming, result)
                elif isinstance(result, PermanentError):
                    bad.append((incoming.record, result))
        await self._bury(bad)
        return later

    def _read(self, record: ConsumerRecord[Any, Any]) -> Incoming[Any]:
        if isinstance(record, UnreadableBatch):
            raise PermanentError(f"the batch cannot be read: {record.reason}", code=ErrorCode.UNREADABLE_BATCH)
        vouched_by = None if is_replay(record) else self.check_record(record)
        read: Callable[[Any, ConsumerRecord[Any, Any], int], Incoming[Any]] = self.decode or decode
        return replace(read(self.event, record, self.payload_max_bytes), vouched_by=vouched_by)

    def _park(self, incoming: Incoming[E], error: DoubtfulError) -> None:
        """Try a record again beside the others. Meanwhile no offset behind the record is committed."""
        where = incoming.record.topic, incoming.record.partition, incoming.record.offset
        if where not in self._parked:
            log.warning(
                "one record fails alone and is tried again; the others go on",
                extra={"topic": where[0], "partition": where[1], "offset": where[2], "reason": str(error)},
            )
            self._begin_parked(where, self._handle_parked(incoming))

    def _begin_parked(self, place: Place, work: Coroutine[Any, Any, None]) -> None:
        async def finish() -> None:
            try:
                await work
            except Exception as error:
                log.exception("a record failed, nothing more is consumed", extra={"topic": self.topic.name})
                self._broken = error
            else:
                del self._parked[place]

        self._parked[place] = asyncio.create_task(finish())

    async def _handle_parked(self, incoming: Incoming[E]) -> None:
        async def handle() -> Any:
            (result,) = await isolate_failures([incoming], self.handle)
            if isinstance(result, DoubtfulError):
                raise result
            return result

        result = await retry_transient(handle, on=f"{self.topic.name} record")
        await self._bury([(incoming.record, result)] if isinstance(result, PermanentError) else [])

    async def _bury(self, bad: Sequence[Refused]) -> None:
        """Put records into the dead-letter queue, except replays, which came from that queue."""
        alone: list[Refused] = []
        bad = [(record, error) for record, error in bad if not is_replay(record)]
        for code, count in Counter(error.code for _, error in bad).items():
            REFUSED_RECORDS.labels(self.topic.name, code).inc(count)
        for record, error in bad:
            if names_execution(record):
                alone.append((record, error))
            else:
                await self._add_to_run(record, error)
        if alone:
            dead = await self._choose_dead(alone)
            await self._publish_dead([self._make_letter(record, error) for record, error in dead])
            for record, error in dead:
                key = record.key[:KEY_MAX].decode(errors="replace") if record.key else None
                _log_dead_letter(_find_place(record), error, job_id=key, **name_execution(record.value))

    async def _choose_dead(self, refused: Sequence[Refused]) -> Sequence[Refused]:
        return await retry_transient(lambda: self.choose_dead(refused), on=f"{self.topic.name} handler")

    def _make_letter(
        self, record: ConsumerRecord[Any, Any], error: PermanentError, *, is_whole: bool = True
    ) -> Outgoing:
        assert self.topic.dlq is not None
        return to_dead_letter(self.topic.dlq, record, error, is_whole=is_whole)

    async def _publish_dead(self, letters: Sequence[Outgoing]) -> None:
        await retry_transient(lambda: self.publisher.publish_records(letters), on="kafka")

    async def _add_to_run(self, record: ConsumerRecord[Any, Any], error: PermanentError) -> None:
        """Add a record to the run of its partition and error code, or begin that run."""
        name = record.topic, record.partition, error.code
        if (run := self._runs.get(name)) is not None:
            if record.offset > run.last_offset:  # else it is read again
                run.last_offset, run.repeats = record.offset, run.repeats + 1
            return
        dead = await self._choose_dead([(record, error)])
        letters = [self._make_letter(record, error, is_whole=False)] if dead else []
        reason = PermanentError(str(error), code=error.code)  # the error itself may hold the body, by its cause
        run = self._runs[name] = Run(_find_place(record), reason, letters, record.offset)
        self._unburied.add(run.first)
        self._begin_parked(run.first, self._end_run(run))

    async def _end_run(self, run: Run) -> None:
        """Wait until nothing more joins a run, and publish its dead letter, if any. Its first record stays parked."""
        ends_at, counted = time.monotonic() + RUN_MAX_S, -1
        while run.repeats > counted and time.monotonic() < ends_at and not self._stopping.is_set():
            counted = run.repeats
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), RUN_QUIET_S)
        topic, partition, _ = run.first
        self._runs.pop((topic, partition, run.error.code), None)
        if run.letters:
            letters = [add_repeats(one, run.error, run.repeats, run.last_offset) for one in run.letters if run.repeats]
            await self._publish_dead(letters or run.letters)
            _log_dead_letter(run.first, run.error, repeats=run.repeats, last_offset=run.last_offset)
        self._unburied.remove(run.first)


def leave_frames(error: PermanentError) -> PermanentError:
    """Return an error without its traceback and causes, whose frames would keep records in memory."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def _find_place(record: ConsumerRecord[Any, Any]) -> Place:
    offset = record.first_offset if isinstance(record, UnreadableBatch) else record.offset
    return record.topic, record.partition, offset


def _log_dead_letter(place: Place, error: PermanentError, **more: object) -> None:
    topic, partition, offset = place
    DEAD_LETTERS.labels(topic, error.code).inc()
    where = {"topic": topic, "partition": partition, "offset": offset}
    log.error("dead letter", extra={**where, **more, "code": error.code, "reason": str(error)})


async def _records(records: Any) -> KafkaMessage:
    """Return the records unparsed: before any handler, FastStream's parser raises on a header that is not UTF-8."""
    return KafkaMessage(body=b"", raw_message=list(records), consumer=None)  # type: ignore[arg-type] # committed by hand


async def _as_they_are(message: KafkaMessage) -> Any:
    return message.raw_message


def is_replay(record: ConsumerRecord[Any, Any]) -> bool:
    """Return whether a record was published again by an operator."""
    return any(name == REPLAY_HEADER for name, _ in record.headers)


def decode(event: type[V], record: ConsumerRecord[Any, Any], payload_max_bytes: int) -> Incoming[V]:
    """Return the event in a record. Raise PermanentError, with the code of the fault, if there is no event."""
    return Incoming(parse_event(event, _read_body(record, payload_max_bytes)), record, is_replay(record))


def keep_body(_: type[Event], record: ConsumerRecord[Any, Any], payload_max_bytes: int) -> Incoming[bytes]:
    """Return a record with its body unparsed. Raise PermanentError with a code if the body cannot be read."""
    return Incoming(_read_body(record, payload_max_bytes), record, is_replay(record))


def _read_body(record: ConsumerRecord[Any, Any], payload_max_bytes: int) -> bytes:
    body: bytes | None = record.value
    if body is None:
        raise PermanentError("the record has no body", code=ErrorCode.EMPTY_BODY)
    if len(body) > payload_max_bytes:
        raise PermanentError(
            f"{len(body)} bytes exceed the limit of {payload_max_bytes}", code=ErrorCode.PAYLOAD_TOO_LARGE
        )
    for name, value in record.headers:
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            raise PermanentError(f"the header {name!r} is not UTF-8", code=ErrorCode.MALFORMED_HEADER) from None
    _check_form(body)
    return body


def _check_form(body: bytes) -> None:
    """Raise PermanentError for a body that does not begin as JSON; at low cost, as anybody may send very many."""
    if _BEGIN_OF_JSON.match(body) is None:
        raise PermanentError("the body is no JSON", code=ErrorCode.MALFORMED_JSON)


def parse_event(event: type[V], body: bytes) -> V:
    """Return the event in a record's body. Raise PermanentError, with the code of the fault, if there is no event."""
    _check_form(body)
    try:
        return event.model_validate_json(body)
    except ValidationError as error:
        raise UnparsedError(error) from None


def make_broker(kafka: KafkaAccess, service: str, batch_grace_s: float = BATCH_GRACE_S) -> KafkaBroker:
    """Return a FastStream broker for consuming; on its stop, a batch under way has `batch_grace_s` seconds to end."""
    skip_unreadable_batches()
    note_failed_polls()
    return kafka.make_broker(
        client_id=f"signoff-{service}",
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        graceful_timeout=batch_grace_s,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        logger=None,
    )


async def stop_consuming(
    broker: KafkaBroker, subscriptions: Sequence[Subscription[Any]], timeout_s: float = STOP_TIMEOUT_S
) -> None:
    """Stop consuming; return after `timeout_s` at the latest: aiokafka waits for ever for an unreachable broker."""

    async def stop() -> None:
        await asyncio.gather(*(subscription.stop() for subscription in subscriptions))
        await broker.stop()

    stopping = asyncio.create_task(stop())
    done, _ = await asyncio.wait([stopping], timeout=timeout_s)
    for task in done:
        task.result()
