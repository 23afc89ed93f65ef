"""Signed records of a topic of facts, and parts of an archive that have them."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from contracts.signing import SIGNATURE_HEADER, FactKeys
from contracts.topic_prefix import TOPIC_PREFIX
from servicekit.archive.parts import Archive, Manifest, Part, PartWriter
from servicekit.kafka.history import Record

INCARNATION = UUID(int=7)


def make_record(keys: FactKeys, offset: int, value: bytes = b"{}", **fields: Any) -> Record:
    """A signed fact at an offset of a partition; a field may be given another value."""
    given = {"topic": TOPIC_PREFIX + "job-changed", "partition": 0, "key": b"job", "timestamp": 1_000 + offset} | fields
    signature = keys.signing.sign(given["topic"], given["key"], value).encode()
    headers = (("ce_id", b"\xff\x00"), ("none", None), (SIGNATURE_HEADER, signature))
    key_size = -1 if given["key"] is None else len(given["key"])
    sizes = {"checksum": None, "serialized_key_size": key_size, "serialized_value_size": len(value)}
    return ConsumerRecord(offset=offset, timestamp_type=0, value=value, headers=headers, **given, **sizes)


def make_part(records: Sequence[Record], before: Part | None = None, **fields: Any) -> tuple[Manifest, bytes]:
    """The manifest and the data of the part with these records that follows another one."""
    writer = PartWriter()
    writer.add(records)
    data = writer.finish()
    number = 1 if before is None else before.number + 1
    given: dict[str, Any] = {
        "number": number,
        "before": before and before.sha256,
        "installation": "here",
        "incarnation": INCARNATION,
        "spans": writer.spans,
        "left": {},
        "newest": {},
        "offsets": {},
        "first_seq": None,
        "last_seq": None,
        "facts_at": writer.facts_at,
        "seq": 0,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    } | fields
    return Manifest(**given), data


async def write_parts(archive: Archive, *records: Sequence[Record], before: Part | None = None) -> list[Part]:
    """Write a part of each of these lists of records."""
    parts = []
    for of_part in records:
        before = await archive.write(*make_part(of_part, before))
        assert before is not None
        parts.append(before)
    return parts
