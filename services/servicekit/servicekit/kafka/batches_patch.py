"""Patch aiokafka (0.14) so that no batch of a stranger stops a topic, takes all memory, or keeps partitions from turns.

A broker takes what a consumer cannot read: names of headers that are no UTF-8, offsets beyond the batch, a few KiB that
unpack to GiB. aiokafka raises from then on whenever it comes to such a batch, for good, mostly no KafkaError; and it
unpacks whatever there is. It also reads all that it has of one partition before it turns to the next.

With the patch a batch that cannot be read is one record, an `UnreadableBatch`, in the place of its records, and its
partition goes on behind it. All who read topics do so through this: `History`, and the consumers of a `Subscription`.
"""

import asyncio
import contextlib
import time
import zlib
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import cramjam
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatch
from aiokafka.record.util import decode_varint

from servicekit.metrics import UNREADABLE_BATCHES

#: Bytes of a batch, unpacked; one that would take more is not read.
UNPACKED_MAX: Final = 64 << 20
#: Batches that take no more, unpacked, are read at once; of larger ones, if compressed, a consumer reads one at a time.
SMALL_BYTES: Final = 1 << 20
#: Records of a batch: one that says that it has more is not read.
COUNT_MAX: Final = 1_000_000
#: Headers of a record: each takes some 100 bytes of memory, and 2 of a batch.
HEADERS_MAX: Final = 10_000
HEADER_BYTES: Final = 100
#: Bytes of records after which a poll returns; the last may be as large as a batch.
POLL_BYTES: Final = 16 << 20

#: For how many times as long as large batches took to unpack a consumer leaves the event loop to others.
PAUSES: Final = 4
#: Batches that take no more have no record with very many headers.
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
    """A batch takes more bytes, unpacked, than it may."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"unpacked it takes more than {limit} bytes")


class UnreadableBatch(Record):  # type: ignore[misc]  # aiokafka has no types
    """A batch that cannot be read, or the rest of it: `offset` is its last, `value` its bytes as they are stored."""

    def __init__(self, place: TopicPartition, offsets: range, raw: bytes, reason: str) -> None:
        super().__init__(place.topic, place.partition, offsets[-1], _NO_TIME, 0, None, raw, None, -1, len(raw), ())
        self.first_offset = offsets[0]
        self.reason = reason


class Batches:
    """What was fetched of one partition, batch by batch, in place of aiokafka's MemoryRecords."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def has_next(self) -> bool:
        """Return whether a whole batch was fetched; the last may be cut off."""
        return bool(self._cut(0))

    def size_in_bytes(self) -> int:
        """Return the size of what was fetched."""
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
    """Read the records of what was fetched of one partition, and yield None where a batch waits to be unpacked."""

    next_fetch_offset: int

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        assert self._isolation_level != READ_COMMITTED, "transactions are not looked at"
        #: Whether the batch under way takes much memory, whether one may, and whether one waits for that.
        self.is_large = False
        self.may_be_large = True
        self.waits = False
        #: How long it took to unpack large ones.
        self.unpacked_s = 0.0

    def _unpack_records(self) -> Iterator[Record | None]:
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
            self.is_large = self.waits = False
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
        while not self.may_be_large:
            self.waits = True
            yield
        self.is_large, self.waits = True, False
        began_at = time.monotonic()
        try:
            return unpack(raw, codec, UNPACKED_MAX)
        finally:
            self.unpacked_s += time.monotonic() - began_at


def _guard(batch: Any, unpacked: Bytes) -> Iterator[Any]:
    """Yield the records of a batch, but raise UnreadableError before one that has too many headers."""
    at = _HEAD
    for record_count in range(int.from_bytes(unpacked[_COUNT], signed=True)):
        del record_count
        size, begin = decode_varint(unpacked, at)
        at = begin + size
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
        unpacked += member.decompress(rest, _HEAD + limit + 1 - len(unpacked))
        _check_size(len(unpacked), limit)
        if not member.eof:
            raise UnreadableError("it ends early")
        rest = member.unused_data
    return unpacked


def _unsnap(packed: Bytes, limit: int) -> bytearray:
    unpacked = bytearray(_HEAD)
    for block in _cut_blocks(packed):
        _check_size(len(unpacked) + cramjam.snappy.decompress_raw_len(block), limit)
        unpacked += bytes(cramjam.snappy.decompress_raw(block))
    return unpacked


def _cut_blocks(packed: Bytes) -> Iterator[Bytes]:
    """Yield the blocks of snappy in the frames of Java's library, or all as one block."""
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
    """Return how to unpack where a codec does not say how much comes: into ever more room, up to the bound."""

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
    """What was fetched of one partition and is not read yet."""

    @property
    def reader(self) -> BatchReader:
        """The reader of what is left."""
        reader: BatchReader = self._partition_records  # type: ignore[assignment]
        return reader

    def read(self, poll: "Poll") -> list[Record]:
        """Return the next records, while the poll has room; none where a batch waits to be unpacked."""
        records: list[Record] = []
        if self.reader.waits and not self.reader.may_be_large:
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
    """What a poll may still return: so many records, and bytes of them."""

    records: int
    size: int = POLL_BYTES

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be returned."""
        return self.records <= 0 or self.size <= 0

    def is_full_after(self, record: Record) -> bool:
        """Count a record, and return whether it is the last."""
        self.records -= 1
        self.size -= len(record.value or b"") + len(record.key or b"") + HEADER_BYTES * len(record.headers)
        return self.records <= 0 or self.size <= 0


_pauses: Final[WeakKeyDictionary[Fetcher, float]] = WeakKeyDictionary()


async def _fetch_in_turn(
    self: Fetcher,
    partitions: Collection[TopicPartition],
    timeout: float = 0,  # noqa: ASYNC109 - aiokafka calls it so
    max_records: int | None = None,
) -> dict[TopicPartition, list[Record]]:
    """Wait for records, and return those of each partition in turn."""
    ends_at = time.monotonic() + timeout
    # Others have their turn, too, where each poll finds records; and most of the time where it unpacks large batches.
    await asyncio.sleep(_pauses.pop(self, 0.0))
    while True:
        if self._subscriptions.reassignment_in_progress:
            await self._subscriptions.wait_for_assignment()
        left_s = max(0.0, ends_at - time.monotonic())
        taken = _take(self, partitions, max_records)
        if not taken and any(result.reader.waits for result in _list_fetched(self)):
            taken = _take(self, partitions, max_records)  # the large one was at its end
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
    """Return the next records, and turn to other partitions next time. An error is raised where it comes first."""
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
            reader, readers = result.reader, [fetched.reader for fetched in _list_fetched(self)]
            is_first = next((other for other in readers if other.waits), reader) is reader
            reader.may_be_large = is_first and not any(other.is_large for other in readers if other is not reader)
            if records := result.read(poll):
                taken[place] = records
                self._records.move_to_end(place)
            if reader.unpacked_s:
                _pauses[self] = _pauses.get(self, 0.0) + PAUSES * reader.unpacked_s
                reader.unpacked_s = 0.0
            if not result.has_more():
                _drop(self, place)
            if poll.is_full:
                break
    return taken


def _list_fetched(self: Fetcher) -> list[Fetched]:
    return [result for result in self._records.values() if isinstance(result, Fetched)]


def _drop(self: Fetcher, place: TopicPartition) -> None:
    del self._records[place]
    self._notify(self._wait_consume_future)


def pass_unreadable_batches_by() -> None:
    """Let aiokafka's consumers read through this module, from the next that is started on."""
    fetcher.MemoryRecords = Batches
    fetcher.PartitionRecords = BatchReader
    fetcher.FetchResult = Fetched
    Fetcher.fetched_records = _fetch_in_turn
