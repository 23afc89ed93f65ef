"""Patch libraries where they fail us: aiokafka 0.14 and grpcio 1.85, both on uvloop 0.23.

The function that applies a patch says what fails without the patch, and names the issue upstream. For each patch,
test_patched_aiokafka.py or test_patched_grpc.py shows that the library still fails without it; when such a test fails,
the patch is no longer needed, and is removed.
"""

import asyncio
import contextlib
import socket
import time
import zlib
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import cramjam
import grpc.aio
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import BrokerResponseError, IllegalGenerationError, KafkaConnectionError, kafka_errors
from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatch
from aiokafka.record.util import decode_varint

from contracts.topics import MESSAGE_MAX_BYTES
from servicekit.metrics import UNREADABLE_BATCHES

#: Bytes of a batch, unpacked; one that would take more is not read.
UNPACKED_MAX: Final = 64 << 20
#: Batches that take no more, unpacked, are read at once; of larger ones, if compressed, a process reads one at a time.
SMALL_BYTES: Final = 1 << 20
#: Bytes of a record, all in all: topics take no larger ones, but as part of a batch that is compressed.
RECORD_MAX: Final = MESSAGE_MAX_BYTES
#: Records of a batch: one that says that it has more is not read.
COUNT_MAX: Final = 1_000_000
#: Headers of a record: each takes some 100 bytes of memory, and 2 of a batch.
HEADERS_MAX: Final = 10_000
HEADER_BYTES: Final = 100
#: Bytes of records after which a poll returns; the last may be as large as a batch.
POLL_BYTES: Final = 16 << 20

#: For how many times as long as a large batch took to unpack the next one waits.
PAUSES: Final = 1
#: Batches that take no more have no large record, and none with very many headers.
UNGUARDED_BYTES: Final = 64 << 10

# Where what stands in the head of a batch, as `HEADER_STRUCT` has it.
_HEAD: Final = DefaultRecordBase.HEADER_STRUCT.size
_OVERHEAD: Final = DefaultRecordBase.AFTER_LEN_OFFSET
_LENGTH: Final = slice(8, _OVERHEAD)
_FORMAT: Final = 2  # the broker converts older ones
_CODEC: Final = DefaultRecordBase.ATTRIBUTES_OFFSET + 1
_COUNT: Final = slice(_HEAD - 4, _HEAD)
_NO_TIME: Final = -1
_XERIAL: Final = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]
Bytes: TypeAlias = bytearray | memoryview


class UnreadableError(ValueError):
    """A batch breaks the format, or a bound."""


class TooLargeError(UnreadableError):
    """A batch takes more bytes when it is unpacked than a batch may."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"unpacked it takes more than {limit} bytes")


class UnreadableBatch(Record):  # type: ignore[misc]  # aiokafka has no types
    """An unreadable batch, or the unread rest of one: `offset` is its last offset, `value` its bytes as stored."""

    def __init__(self, place: TopicPartition, offsets: range, raw: bytes, reason: str) -> None:
        super().__init__(place.topic, place.partition, offsets[-1], _NO_TIME, 0, None, raw, None, -1, len(raw), ())
        self.first_offset = offsets[0]
        self.reason = reason


class Batches:
    """The fetched bytes of one partition, batch by batch, in place of aiokafka's MemoryRecords."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def has_next(self) -> bool:
        """Return whether the bytes begin with a whole batch; the last batch may be cut off."""
        return bool(self._cut(0))

    def size_in_bytes(self) -> int:
        """Return the size of the fetched bytes."""
        return len(self._data)

    def __iter__(self) -> Iterator[memoryview]:
        at = 0
        while raw := self._cut(at):
            at += len(raw)
            yield raw

    def _cut(self, at: int) -> memoryview:
        head = self._data[at : at + _OVERHEAD]
        size = _OVERHEAD + max(0, int.from_bytes(head[_LENGTH], signed=True))
        raw = self._data[at : at + size]
        return raw if len(raw) == size else raw[:0]


class BatchReader(PartitionRecords):  # type: ignore[misc]  # same
    """Read the fetched records of one partition; yield None while a large batch waits to be unpacked elsewhere."""

    next_fetch_offset: int
    _records_iterator: Generator[Record | None] | None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        assert self._isolation_level != READ_COMMITTED, "transactions are not looked at"
        #: What unpacks the large batch that is next, until that is done, and what came of it.
        self._unpack_large: Callable[[], bytearray] | None = None
        self._unpacked: bytearray | Exception | None = None
        #: A large batch has its turn from before it is unpacked until it is left, and takes no memory any more.
        self.turn: asyncio.Task[None] | None = None
        self.is_left: asyncio.Event | None = None

    @property
    def waits(self) -> bool:
        """Whether a large batch waits to be unpacked."""
        return self._unpack_large is not None

    def unpack(self) -> None:
        """Unpack the large batch that is next, as in a thread. Its error is raised when its records are read."""
        if (unpack_large := self._unpack_large) is None:
            return
        try:
            self._unpacked = unpack_large()
        except Exception as error:  # noqa: BLE001 - as below
            self._unpacked = error
        self._unpack_large = None

    def close(self) -> None:
        """Drop the records and bytes that are kept, and let the next large batch be unpacked."""
        if self._records_iterator is not None:
            self._records_iterator.close()
        self._unpack_large = self._unpacked = self._records_iterator = None
        self._leave()

    def _leave(self) -> None:
        if self.is_left is not None:
            self.is_left.set()

    def _unpack_records(self) -> Generator[Record | None]:
        for raw in self._records:
            batch = DefaultRecordBatch(raw if len(raw) >= _HEAD else bytes(raw).ljust(_HEAD, b"\0"))
            begin = max(batch.base_offset, self.next_fetch_offset)
            end = max(begin + 1, batch.next_offset if batch.magic == _FORMAT else 0)
            unreadable = None
            try:
                yield from self._read_batch(batch, raw, end)
            except Exception as error:  # noqa: BLE001 - aiokafka raises whatever comes, and a stranger wrote the bytes
                if left := range(max(begin, self.next_fetch_offset), end):
                    unreadable = UnreadableBatch(self._tp, left, bytes(raw), str(error) or repr(error))
            self._leave()
            self.next_fetch_offset = end
            if unreadable is not None:
                UNREADABLE_BATCHES.labels(self._tp.topic).inc()
                yield unreadable

    def _read_batch(self, batch: Any, raw: Bytes, end: int) -> Iterator[Record | None]:
        if len(raw) < _HEAD or batch.magic != _FORMAT:
            raise UnreadableError("its format is not known")
        if self._check_crcs and not batch.validate_crc():
            raise UnreadableError("its CRC does not match")
        if batch.is_control_batch:
            return
        if int.from_bytes(raw[_COUNT], signed=True) > COUNT_MAX:
            raise UnreadableError(f"it holds more than {COUNT_MAX} records")
        codec = batch.compression_type
        unpacked: Bytes = (yield from self._unpack(raw, codec)) if codec else raw
        batch = DefaultRecordBatch(unpacked) if codec else batch
        for record in batch if len(unpacked) <= UNGUARDED_BYTES else _guard(batch, unpacked):
            if record.offset < self.next_fetch_offset:
                continue
            if record.offset >= end:
                raise UnreadableError(f"a record has the offset {record.offset}, which lies behind it")
            self.next_fetch_offset = record.offset + 1
            yield self._consumer_record(self._tp, record)

    def _unpack(self, raw: Bytes, codec: int) -> Generator[None, None, bytearray]:
        with contextlib.suppress(TooLargeError):
            return unpack(raw, codec, SMALL_BYTES)
        self.turn, self.is_left = None, asyncio.Event()
        self._unpack_large = partial(unpack, raw, codec, UNPACKED_MAX)
        while self._unpacked is None:
            yield
        unpacked, self._unpacked = self._unpacked, None
        if isinstance(unpacked, Exception):
            raise unpacked
        return unpacked


def _guard(batch: Any, unpacked: Bytes) -> Iterator[Any]:
    """Yield the records of a batch; raise UnreadableError before a record that is too large or has too many headers."""
    at = _HEAD
    for record_count in range(int.from_bytes(unpacked[_COUNT], signed=True)):
        del record_count
        size, begin = decode_varint(unpacked, at)
        at = begin + size
        if size > RECORD_MAX:
            raise UnreadableError(f"a record has more than {RECORD_MAX} bytes")
        if size > HEADERS_MAX and _count_headers(unpacked, begin) > HEADERS_MAX:
            raise UnreadableError(f"a record has more than {HEADERS_MAX} headers")
        yield next(batch)
    next(batch, None)  # it looks whether that was all


def _count_headers(unpacked: Bytes, at: int) -> int:
    for _ in range(3):  # attributes, time, offset
        _, at = decode_varint(unpacked, at)
    for _ in range(2):  # key, value
        size, at = decode_varint(unpacked, at)
        at += max(0, size)
    count: int = decode_varint(unpacked, at)[0]
    return count


def unpack(raw: Bytes, codec: int, limit: int = UNPACKED_MAX) -> bytearray:
    """Return a batch with its records unpacked. Raise TooLargeError if they take more bytes than the limit."""
    if codec not in _UNPACK:
        raise UnreadableError(f"it is packed by an unknown codec, {codec}")
    unpacked = _UNPACK[codec](raw[_HEAD:], limit)
    unpacked[:_HEAD] = raw[:_HEAD]
    unpacked[_CODEC] &= ~DefaultRecordBase.CODEC_MASK
    return unpacked


def _gunzip(packed: Bytes, limit: int) -> bytearray:
    unpacked, rest = bytearray(_HEAD), bytes(packed)
    while rest:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            part = member.decompress(rest, SMALL_BYTES)
            if not part and not member.eof:
                raise UnreadableError("it ends early")
            unpacked += part
            _check_size(len(unpacked), limit)
            rest = member.unconsumed_tail
        rest = member.unused_data
    return unpacked


def _unsnap(packed: Bytes, limit: int) -> bytearray:
    unpacked = bytearray(_HEAD)
    for block in _cut_blocks(packed):
        _check_size(len(unpacked) + cramjam.snappy.decompress_raw_len(block), limit)
        unpacked += bytes(cramjam.snappy.decompress_raw(block))
    return unpacked


def _cut_blocks(packed: Bytes) -> Iterator[Bytes]:
    """Yield the blocks of snappy in the frames of Java's library; without such frames, all bytes as one block."""
    if bytes(packed[: len(_XERIAL)]) != _XERIAL:
        yield packed
        return
    at = len(_XERIAL)
    while at < len(packed):
        size = int.from_bytes(packed[at : at + 4], signed=True)
        if size <= 0:
            raise UnreadableError("a block of it has no bytes")
        yield packed[at + 4 : at + 4 + size]
        at += 4 + size


def _unpack_into(decompress_into: Callable[[Bytes, memoryview], int]) -> Callable[[Bytes, int], bytearray]:
    """Return an unpacker for a codec that does not tell the unpacked size: it tries larger and larger buffers."""

    def unpack_records(packed: Bytes, limit: int) -> bytearray:
        room = min(max(8 * len(packed), 64 << 10), limit)
        while True:
            unpacked = bytearray(_HEAD + room)
            try:
                with memoryview(unpacked)[_HEAD:] as records:
                    size = decompress_into(packed, records)
            except cramjam.DecompressionError as error:
                if "whole buffer" not in str(error):
                    raise
                del unpacked
                _check_size(_HEAD + room + (room == limit), limit)
                room = min(4 * room, limit)
            else:
                del unpacked[_HEAD + size :]
                return unpacked

    return unpack_records


def _check_size(size: int, limit: int) -> None:
    if size > _HEAD + limit:
        raise TooLargeError(limit)


_UNPACK: Final = {
    DefaultRecordBase.CODEC_GZIP: _gunzip,
    DefaultRecordBase.CODEC_SNAPPY: _unsnap,
    DefaultRecordBase.CODEC_LZ4: _unpack_into(cramjam.lz4.decompress_into),
    DefaultRecordBase.CODEC_ZSTD: _unpack_into(cramjam.zstd.decompress_into),
}


class Fetched(FetchResult):  # type: ignore[misc]  # same
    """The fetched records of one partition that are not read yet."""

    _partition_records: Any

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        self.reader: BatchReader = self._partition_records

    def __del__(self) -> None:
        self.reader.close()  # else it would be kept, since it refers to itself

    def read(self, poll: "Poll") -> list[Record]:
        """Return the next records, while the poll has room; none while a large batch waits to be unpacked."""
        records: list[Record] = []
        if self.reader.waits:
            return records
        has_more = False
        for record in self.reader:
            if has_more := record is None:
                break
            records.append(record)
            if has_more := poll.is_full_after(record):
                break
        self._update_position()
        if not has_more:
            self._partition_records = None
        return records


@dataclass(slots=True)
class Poll:
    """The numbers of records, and of their bytes, that a poll may still return."""

    records: int
    size: int = POLL_BYTES

    @property
    def is_full(self) -> bool:
        """Whether the poll may return no more records."""
        return self.records <= 0 or self.size <= 0

    def is_full_after(self, record: Record) -> bool:
        """Count a record, and return whether the poll is full with it."""
        self.records -= 1
        self.size -= len(record.value or b"") + len(record.key or b"") + HEADER_BYTES * len(record.headers)
        return self.records <= 0 or self.size <= 0


#: What has its turn to read a large batch, of all consumers of an event loop.
_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()


async def _unpack_in_turn(self: Fetcher, reader: BatchReader) -> None:
    """Unpack a large batch in a thread, once no other batch is, and wait until the records of the batch are read."""
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        if not reader.waits or (is_left := reader.is_left) is None:  # it was dropped
            return
        began_at = time.monotonic()
        await asyncio.to_thread(reader.unpack)
        pause_s = PAUSES * (time.monotonic() - began_at)
        for waiter in self._fetch_waiters:
            self._notify(waiter)
        await is_left.wait()
        await asyncio.sleep(pause_s)


async def _fetch_in_turn(
    self: Fetcher,
    partitions: Collection[TopicPartition],
    timeout: float = 0,  # noqa: ASYNC109 - aiokafka calls it so
    max_records: int | None = None,
) -> dict[TopicPartition, list[Record]]:
    """Wait at most `timeout` seconds for records, and return them by partition; partitions take turns."""
    ends_at = time.monotonic() + timeout
    await asyncio.sleep(0)  # others have their turn, too, where each poll finds records
    while True:
        if self._subscriptions.reassignment_in_progress:
            await self._subscriptions.wait_for_assignment()
        left_s = max(0.0, ends_at - time.monotonic())
        taken = _take(self, partitions, max_records)
        if taken or not left_s:
            return taken
        waiter = self._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=left_s)
        if not done or self._closed:
            waiter.cancel()
            return {}
        waiter.result()


def _take(
    self: Fetcher, partitions: Collection[TopicPartition], max_records: int | None
) -> dict[TopicPartition, list[Record]]:
    """Return the next records; other partitions have their turn next time. Raise a partition's error if it is first."""
    taken: dict[TopicPartition, list[Record]] = {}
    poll = Poll(max_records or COUNT_MAX)
    for place, result in list(self._records.items()):
        if isinstance(result, Fetched) and not result.check_assignment(place):
            _drop(self, place)  # also what is paused: it is fetched again once somebody reads on
        elif partitions and place not in partitions:
            continue
        elif isinstance(result, FetchError):
            if taken:
                break
            _drop(self, place)
            result.check_raise()
        else:
            if records := result.read(poll):
                taken[place] = records
                self._records.move_to_end(place)
            if result.reader.waits and result.reader.turn is None:
                result.reader.turn = asyncio.create_task(_unpack_in_turn(self, result.reader))
            if not result.has_more():
                _drop(self, place)
            if poll.is_full:
                break
    return taken


def _drop(self: Fetcher, place: TopicPartition) -> None:
    del self._records[place]
    self._notify(self._wait_consume_future)


_close_fetcher: Final = Fetcher.close


async def _close(self: Fetcher) -> None:
    """Close a fetcher, and drop the records that it has fetched."""
    await _close_fetcher(self)
    self._records.clear()


def skip_unreadable_batches() -> None:
    """Let aiokafka's consumers that start from now on skip batches that cannot be read.

    A broker accepts batches that a consumer cannot read: with header names that are no UTF-8, with offsets beyond the
    batch, or of a few KiB that unpack to GiB. At such a batch aiokafka raises an error, mostly no KafkaError, each
    time; it unpacks batches of any size; and it reads all that it has of one partition before it turns to the next. So
    one batch of any sender stops a topic, takes all memory, or keeps other partitions from their turn.

    With the patch such a batch is read as one record, an `UnreadableBatch`, and its partition goes on behind it.
    `History` and each `Subscription` use the patch. Upstream: aio-libs/aiokafka#321.
    """
    fetcher.MemoryRecords = Batches
    fetcher.PartitionRecords = BatchReader
    fetcher.FetchResult = Fetched
    Fetcher.fetched_records = _fetch_in_turn
    Fetcher.close = _close


_commit: Final = GroupCoordinator._do_commit_offsets
_complete_join: Final = GroupCoordinator._on_join_complete
#: By assignment, the generation of the group that made it.
_generations: Final[WeakKeyDictionary[Any, int]] = WeakKeyDictionary()


async def _note_generation(self: GroupCoordinator, generation: int, *join: Any) -> None:
    await _complete_join(self, generation, *join)
    if (subscription := self._subscription.subscription) is not None and subscription.assignment is not None:
        _generations[subscription.assignment] = generation


def _begin_commit(self: GroupCoordinator, assignment: Any, offsets: Any) -> asyncio.Task[None]:
    commit = asyncio.create_task(_commit_as_member(self, assignment, offsets))
    commit.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return commit


async def _commit_as_member(self: GroupCoordinator, assignment: Any, offsets: Any) -> None:
    is_member = assignment.active and _generations.get(assignment) == self.generation
    if self._subscription.partitions_auto_assigned() and not is_member:
        raise IllegalGenerationError
    await _commit(self, assignment, offsets)


def commit_as_member_only() -> None:
    """Let consumers of a group commit only in the generation that gave them their partitions; call once per process.

    aiokafka tries a commit again for as long as its caller waits. On a broker that came back empty, a consumer unknown
    to it commits meanwhile as one outside of any group, which an empty group allows; and a consumer that joins again
    has a new generation for a while before it has new partitions. Both would commit offsets of records that are gone,
    so that as many new records would never be read. aiokafka also shields a commit whose caller gives up, and retrieves
    no error of it: asyncio would log that. Upstream: none found; aio-libs/aiokafka#727 is about the same generation.
    """
    GroupCoordinator._on_join_complete = _note_generation
    GroupCoordinator._do_commit_offsets = _begin_commit


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # same
    """The broker refused a record because of its content.

    aiokafka does not know this error of brokers, and raises UnknownError, which may pass. Upstream: none found.
    """

    errno = 87
    message = "INVALID_RECORD"


kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

_send: Final = AIOKafkaConnection.send
_fetch: Final = Fetcher._proc_fetch_request


def _send_or_close(self: AIOKafkaConnection, *args: Any, **named: Any) -> Any:
    try:
        return _send(self, *args, **named)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


async def _fetch_or_end(self: Fetcher, *args: Any) -> bool:
    try:
        return bool(await _fetch(self, *args))
    except asyncio.CancelledError:  # as where it is cancelled before it failed
        return False


def survive_lost_connections() -> None:
    """Let aiokafka treat a lost connection as a KafkaError, also while a consumer stops; call once per process.

    A write to a connection that has just been lost raises RuntimeError in uvloop, and nothing in asyncio. aiokafka
    expects only OSError: its task that refreshes metadata ends there for good, and with it the consumer's membership in
    its group, while the consumer goes on reading. Upstream: aio-libs/aiokafka#1038.

    A consumer that stops cancels its fetches and awaits them. A fetch that failed because the broker is away, and waits
    to be tried again, passes the cancellation on: the caller of `stop` ends as if it had been cancelled itself.
    Upstream: aio-libs/aiokafka#647.
    """
    AIOKafkaConnection.send = _send_or_close
    Fetcher._proc_fetch_request = _fetch_or_end


_fetch_context: Final = SubscriptionState.fetch_context


@contextlib.contextmanager
def _note_poll(self: SubscriptionState) -> Iterator[None]:
    self._fetch_count += 1
    try:
        yield
    except Exception as error:
        self.poll_error = error
        raise
    else:
        self.poll_error = None
        self._last_fetch_ended = time.monotonic()
    finally:
        self._fetch_count -= 1


def note_failed_polls() -> None:
    """Let a consumer's `fetcher_idle_time` be the seconds since a poll without an error, and keep the last error.

    aiokafka takes a poll that raised for one that is under way, for ever: a consumer whose every poll is refused, as
    after its ACL was taken away, seems to be well. Upstream: none found.
    """
    SubscriptionState.fetch_context = _note_poll


_init: Final = AIOKafkaConnection.__init__


def _ask_at_connecting(self: AIOKafkaConnection, *args: Any, **named: Any) -> None:
    asked = {name: named[name]() for name in ("ssl_context", "sasl_plain_password") if callable(named.get(name))}
    _init(self, *args, **named | asked)


def ask_for_credentials() -> None:
    """Let `ssl_context` and `sasl_plain_password` of aiokafka be functions, which each new connection asks.

    aiokafka takes both once, when a client is made: a certificate or password that is replaced would need a new
    process. Upstream: none found; only tokens have such a function.
    """
    AIOKafkaConnection.__init__ = _ask_at_connecting


#: More than the socket holds.
_BYTES_MAX: Final = 65_536


def take_all_events() -> None:
    """Let the running event loop take all events of grpc.aio at once; call before anything of grpc.aio is made.

    A thread of grpc.aio writes a byte to a socket for each event, such as a message that came, or one that was sent.
    The event loop reads one byte a turn, and takes all events that are there. So bytes are left over whenever several
    events came during a turn, and 278 of them fill the socket on Linux. From then on the thread waits to write, and
    each turn of the loop takes one event, of some six that a call has: a server with many callers answers fewer calls
    than it has turns, for as long as they call. Upstream: none found; grpc/grpc#40989 is about the same full socket.
    """
    loop = asyncio.get_running_loop()
    add_reader = loop.add_reader

    def add(wakeups: socket.socket, handle: Callable[[], None], *_: Any) -> None:
        add_reader(wakeups, partial(_take_all, wakeups, handle))

    loop.add_reader = add  # type: ignore[method-assign,assignment] # what grpc.aio adds next is its only reader
    try:
        grpc.aio.init_grpc_aio()
    finally:
        del loop.add_reader


def _take_all(wakeups: socket.socket, handle: Callable[[], None]) -> None:
    """Read all bytes of `wakeups` but one, which `handle` reads before it takes all events."""
    with contextlib.suppress(BlockingIOError):
        waiting = len(wakeups.recv(_BYTES_MAX, socket.MSG_PEEK))
        if waiting > 1:
            wakeups.recv(waiting - 1)
    handle()
