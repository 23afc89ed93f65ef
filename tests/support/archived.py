"""Signed records of a topic of facts, and parts of an archive that have them."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from aiokafka import ConsumerRecord

from contracts.signing import SIGNATURE_HEADER, FactKeys
from contracts.topic_prefix import TOPIC_PREFIX
from servicekit.archive.parts import Archive, Manifest, Part, PartWriter
from servicekit.kafka.history import Record, Unread
from support.jobstore.signed_facts import Stored, TopicsInMemory

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


class HistoryInMemory:
    """The history of one of the topics in memory, from an offset on that it still holds."""

    def __init__(self, topics: TopicsInMemory, topic: str, first: int = 0) -> None:
        self.topic = topic
        self.unread = Unread()
        self._topics = topics
        self._first = first

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def offsets(self, since: datetime | None = None) -> dict[int, range]:
        """As a History does."""
        assert since is None
        ends = await self._topics.end_offsets(self.topic)
        return {number: range(min(self._first, end), end) for number, end in ends.items()}

    async def read(self, offsets: Mapping[int, range]) -> AsyncGenerator[list[Record]]:
        """As a History does, a partition after the other."""
        for number, span in offsets.items():
            of_partition = (one for one in self._topics.records if (one.topic, one.partition) == (self.topic, number))
            if records := [_complete(one) for one in of_partition if one.offset in span]:
                yield records


def _complete(stored: Stored) -> Record:
    fields = {name: getattr(stored, name) for name in ("topic", "partition", "offset", "key", "value")}
    sizes = -1 if stored.key is None else len(stored.key), len(stored.value)
    rest = {"serialized_key_size": sizes[0], "serialized_value_size": sizes[1], "headers": tuple(stored.headers)}
    return ConsumerRecord(
        timestamp=1_700_000_000_000 + stored.offset, timestamp_type=0, checksum=None, **fields, **rest
    )
