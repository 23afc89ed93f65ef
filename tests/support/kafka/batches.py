"""Batches of records written by hand, as a stranger may write them: a producer would make none of these."""

import gzip
import struct
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import cramjam
from aiokafka import TopicPartition
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c, encode_varint

from servicekit.kafka.access import KafkaAccess

MIB = 1 << 20
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
PACK: dict[int, Callable[[bytes], Any]] = {
    0: bytes,
    GZIP: gzip.compress,
    SNAPPY: cramjam.snappy.compress_raw,
    LZ4: cramjam.lz4.compress,
    ZSTD: lambda raw: cramjam.zstd.compress(raw, level=19),
}
#: A name of a header that is no UTF-8.
POISON = [(b"\xff\xfe", b"x")]


def varint(number: int) -> bytes:
    out = bytearray()
    encode_varint(number, out.append)
    return bytes(out)


def sized(content: bytes | None) -> bytes:
    return varint(-1) if content is None else varint(len(content)) + content


def record(
    offset: int,
    value: bytes | None = b"x",
    key: bytes | None = None,
    headers: Iterable[tuple[bytes, bytes | None]] = (),
) -> bytes:
    """A record at an offset from its batch's first."""
    headers = list(headers)
    body = b"\0" + varint(0) + varint(offset) + sized(key) + sized(value) + varint(len(headers))
    body += b"".join(sized(name) + sized(content) for name, content in headers)
    return sized(body)


def batch(
    raw: bytes,
    count: int = 1,
    *,
    codec: int = 0,
    packed: bytes | None = None,
    time_ms: int | None = None,
    base: int = 0,
    last: int | None = None,
    crc: int | None = None,
) -> bytes:
    """A batch of records, or of what is packed already."""
    at = int(time.time() * 1000) if time_ms is None else time_ms
    body = struct.pack(">hiqqqhii", codec, count - 1 if last is None else last, at, at, -1, -1, -1, count)
    body += bytes(PACK[codec](raw)) if packed is None else packed
    found = calc_crc32c(body) if crc is None else crc
    return struct.pack(">qiibI", base, len(body) + 9, 0, 2, found) + body


def poison(value: bytes = b"{}", key: bytes = b"k") -> bytes:
    """A batch of one record that no consumer reads, and every broker takes."""
    return batch(record(0, value, key, POISON))


def tiny(count: int, value: bytes = b"x") -> bytes:
    """A small batch of so many records that mean nothing."""
    return batch(b"".join(record(n, value) for n in range(count)), count, codec=ZSTD)


def bomb(mib: int, codec: int = ZSTD) -> bytes:
    """A small batch of one record of so many MiB, made in little memory."""
    size, chunk = mib * MIB, bytes(MIB)
    head = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    parts = [varint(len(head) + size + 1) + head, *[chunk] * mib, varint(0)]
    if codec == GZIP:
        gzipping = zlib.compressobj(9, zlib.DEFLATED, 31)
        packed = b"".join([gzipping.compress(part) for part in parts]) + gzipping.flush()
    else:
        packing = cramjam.lz4.Compressor(block_linked=False) if codec == LZ4 else cramjam.zstd.Compressor()
        for part in parts:
            packing.compress(part)
        packed = bytes(packing.finish())
    return batch(b"", codec=codec, packed=packed)


async def produce(kafka: KafkaAccess, topic: str, partition: int, *batches: bytes) -> list[int]:
    """Publish batches as they are; return the broker's error code of each."""
    client = kafka.make_client(client_id="by-hand", request_timeout_ms=60_000)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        await client.force_metadata_update()
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        codes = []
        for one in batches:
            request = ProduceRequest(
                transactional_id=None, required_acks=1, timeout=30_000, topics=[(topic, [(partition, one)])]
            )
            codes += [at[1] for _, places in (await client.send(leader, request)).topics for at in places]
        return codes
    finally:
        await client.close()
