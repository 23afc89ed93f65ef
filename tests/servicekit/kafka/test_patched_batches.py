"""Batches that no producer makes: what can be read is, and what cannot is one record that says so."""

from collections.abc import Iterator
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from support.kafka.batches import GZIP, LZ4, MIB, POISON, SNAPPY, ZSTD, batch, bomb, poison, record, tiny, varint

from servicekit import patches
from servicekit.patches import (
    COUNT_MAX,
    HEADERS_MAX,
    RECORD_MAX,
    UNPACKED_MAX,
    Batches,
    BatchReader,
    UnreadableBatch,
    unpack,
)

PLACE = TopicPartition("execute-requested", 3)
CODECS = [0, GZIP, SNAPPY, LZ4, ZSTD]


def reader(*batches: bytes, at: int = 0, check_crcs: bool = True) -> BatchReader:
    return BatchReader(PLACE, Batches(b"".join(batches)), [], at, None, None, check_crcs, 0)


def drain(one: BatchReader) -> Iterator[Any]:
    """All records of a reader, which unpacks what is large at once."""
    for found in one:
        if found is None:
            one.unpack()
        else:
            yield found


def read(*batches: bytes, **fields) -> list[tuple[int, object]]:
    """The offset and value of each record, or the reason of a batch that cannot be read and its first offset."""
    return [
        (one.first_offset, one.reason) if isinstance(one, UnreadableBatch) else (one.offset, one.value)
        for one in drain(reader(*batches, **fields))
    ]


def xerial(raw: bytes) -> bytes:
    blocks = [bytes(cramjam.snappy.compress_raw(part)) for part in (raw[:10], raw[10:])]
    return patches._XERIAL + b"".join(len(block).to_bytes(4) + block for block in blocks)


RAW = record(0, b"a") + record(1, b"b" * 300_000, b"key", [(b"name", b"1"), (b"none", None)])


@pytest.mark.parametrize(
    ("codec", "packed"),
    [
        *((codec, None) for codec in CODECS),
        (SNAPPY, xerial(RAW)),
        (ZSTD, bytes(cramjam.zstd.compress(RAW[:9])) + bytes(cramjam.zstd.compress(RAW[9:]))),
    ],
)
def test_every_codec_is_read(codec, packed):
    first, second = drain(reader(batch(RAW, 2, codec=codec, packed=packed)))
    assert (first.offset, first.value, first.headers) == (0, b"a", ())
    assert (second.key, len(second.value), second.headers) == (b"key", 300_000, (("name", b"1"), ("none", None)))


@pytest.mark.parametrize("codec", CODECS)
def test_what_would_take_too_much_unpacked_is_not_read(codec):
    raw = record(0, bytes(UNPACKED_MAX))
    packed = None if codec in {0, SNAPPY} else bomb(80, codec)[61:]
    found = read(batch(raw, codec=codec, packed=packed), batch(record(0, b"next"), base=1))
    if codec:
        assert found == [(0, f"unpacked it takes more than {UNPACKED_MAX} bytes"), (1, b"next")]
    else:
        assert found[1] == (1, b"next")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (poison(), "codec can't decode"),
        (batch(record(0), crc=7), "CRC"),
        (batch(record(0)[:-3]), ""),
        (batch(record(0), -5), "unconsumed"),
        (batch(record(0), COUNT_MAX + 1, last=0), "records"),
        (batch(varint(2**40) + record(0)), ""),
        (batch(varint(-40) + record(0)), ""),
        (batch(record(2**30)), f"offset {2**30}"),
        (batch(record(0, headers=[(b"", b"")] * (HEADERS_MAX * 5))), "headers"),
        *((batch(b"", codec=codec, packed=b"no such thing"), "") for codec in (1, 2, 3, 4, 5, 6, 7)),
        *((batch(b"", codec=codec, packed=batch(RAW, codec=codec)[61:-9]), "") for codec in CODECS[1:]),
        (batch(b"", codec=SNAPPY, packed=xerial(RAW)[:16] + (-4).to_bytes(4, signed=True) * 9), "block"),
        (b"\0" * 8 + (20).to_bytes(4) + b"\1" * 20, "format"),
    ],
    ids=lambda one: one if isinstance(one, str) else f"{len(one)} bytes",
)
def test_a_batch_that_cannot_be_read_is_passed_by(bad, why):
    found = list(drain(reader(bad, batch(record(0, b"next"), base=1))))
    unreadable, following = found
    assert isinstance(unreadable, UnreadableBatch)
    assert why in unreadable.reason
    assert (unreadable.topic, unreadable.partition, unreadable.value) == (*PLACE, bad)
    assert following.value == b"next"


def test_records_that_are_not_there_are_passed_by():
    assert read(batch(record(0, b"a"), 5), batch(record(0, b"b"), base=5))[::2] == [(0, b"a"), (5, b"b")]


def test_what_stands_before_a_fault_in_its_batch_is_read_and_the_rest_is_passed_by():
    raw = record(0, b"a") + record(1, b"b", headers=POISON) + record(2, b"c")
    one = reader(batch(raw, 3, base=10), at=10)
    assert next(one).value == b"a"
    unreadable = next(one)
    assert (unreadable.first_offset, unreadable.offset, one.next_fetch_offset) == (11, 12, 13)
    assert list(one) == []


def test_what_follows_the_last_record_of_a_batch_is_nothing():
    assert read(batch(record(0, b"a") + b"more"), batch(record(0, b"b"), base=1)) == [(0, b"a"), (1, b"b")]


def test_signed_facts_are_read_whatever_their_crc():
    assert read(batch(record(0, b"a"), crc=7), check_crcs=False) == [(0, b"a")]


def test_records_before_the_position_are_left_out():
    assert read(batch(record(0, b"a") + record(1, b"b"), 2, base=5), at=6) == [(6, b"b")]


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_that_is_too_large_for_its_topic_is_not_read(codec):
    """Many of these, each within the bound of a batch, would take much memory, and time to be copied."""
    raw = record(0, b"a") + record(1, bytes(RECORD_MAX)) + record(2, b"c")
    found = read(batch(raw, 3, codec=codec), batch(record(0, b"next"), base=3))
    assert found == [(0, b"a"), (1, f"a record has more than {RECORD_MAX} bytes"), (3, b"next")]


def test_a_large_batch_waits_until_it_is_unpacked():
    one = reader(batch(record(0, bytes(3 * MIB)), codec=ZSTD), batch(record(0, b"small"), codec=ZSTD, base=1))
    assert (next(one), next(one), one.waits) == (None, None, True)
    one.unpack()
    assert len(next(one).value) == 3 * MIB
    assert (one.is_left.is_set(), one.waits) == (False, False)
    assert next(one).value == b"small"
    assert one.is_left.is_set()


@pytest.mark.parametrize("unpacked", [False, True])
def test_a_large_batch_that_is_dropped_is_left(unpacked):
    one = reader(batch(record(0, bytes(3 * MIB)), codec=ZSTD))
    assert next(one) is None
    if unpacked:
        one.unpack()
        assert len(next(one).value) == 3 * MIB
    one.close()
    one.unpack()
    assert (one.is_left.is_set(), one.waits) == (True, False)


def test_many_small_records_come_one_by_one():
    one = reader(tiny(20_000))
    records = drain(one)
    assert next(records).value == b"x"
    assert one.next_fetch_offset == 1
    assert sum(1 for _ in records) == 19_999


@pytest.mark.parametrize("codec", CODECS[1:])
def test_what_is_unpacked_is_the_batch_without_its_codec(codec):
    assert unpack(batch(RAW, 2, codec=codec), codec)[61:] == RAW
