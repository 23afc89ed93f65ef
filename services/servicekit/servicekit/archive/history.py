"""Read an archive and a topic as one stream: the archive's records first, then those that the topic has behind them.

A topic goes on from the archive where it holds the newest archived record byte for byte, or has gone on beyond it. Else
its broker came back empty since, and all that the topic holds follows on all that is archived.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Self
from uuid import UUID

from contracts.topic_prefix import bare_name
from servicekit.archive.parts import Archive, iterate_records
from servicekit.errors import PermanentError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import RECORDS_MAX, History, Record
from signoff.errors import ErrorCode


class ListedPart(NamedTuple):
    """A part that has to be read: its number, the hash of its manifest, its incarnation, and its topics."""

    number: int
    sha256: str
    incarnation: UUID
    topics: frozenset[str]


@dataclass(slots=True)
class ArchivedParts:
    """The parts of an archive that a reader needs, and which offsets they have of the topics as they were last."""

    archive: Archive
    listed: list[ListedPart] = field(default_factory=list)
    #: Of the newest part; None: there are no parts.
    incarnation: UUID | None = None
    #: By topic and partition, the first and the last archived offset, and the part with the last one.
    spans: dict[tuple[str, int], tuple[int, int, ListedPart]] = field(default_factory=dict)
    #: The highest number of a fact in parts that were let go.
    gone_seq: int = 0

    @classmethod
    async def load(cls, archive: Archive, published_seq: int = 0) -> Self:
        """List the parts with facts above a number, up to which all are known. PermanentError: see Archive."""
        beginning = await archive.find_beginning()
        parts = cls(archive, gone_seq=0 if beginning is None else beginning.seq)
        async for part in archive.read_chain():
            manifest = part.manifest
            topics = frozenset(span.topic for span in manifest.spans)
            listed = ListedPart(part.number, part.sha256, manifest.incarnation, topics)
            if manifest.incarnation != parts.incarnation:
                parts.incarnation, parts.spans = manifest.incarnation, {}
            for span in manifest.spans:
                place = span.topic, span.partition
                first = parts.spans[place][0] if place in parts.spans else span.first
                parts.spans[place] = first, span.last, listed
            if manifest.last_seq is None or manifest.last_seq > published_seq:
                parts.listed.append(listed)
        return parts

    async def read(self, listed: ListedPart, topic: str) -> AsyncGenerator[list[Record]]:
        """Yield the records of a topic in a part."""
        part = await self.archive.read_part(listed.number)
        if part.sha256 != listed.sha256:
            raise PermanentError(
                f"part {listed.number} of the archive {self.archive.place} was changed while it was read",
                code=ErrorCode.WRONG_ARCHIVE,
            )
        records = iterate_records(await self.archive.read_data(part), topic)
        while batch := list(islice(records, RECORDS_MAX)):
            yield batch
            await asyncio.sleep(0)


class ArchivedHistory(History):
    """The history of a topic that goes on from an archive: it begins with the first record that was ever archived."""

    def __init__(self, kafka: KafkaAccess, topic: str, parts: ArchivedParts, *, check_crcs: bool = True) -> None:
        super().__init__(kafka, topic, check_crcs=check_crcs)
        self._parts = parts
        self._archived = {number: span for (name, number), span in parts.spans.items() if name == bare_name(topic)}
        #: Whether the topic goes on from the archive; it is known once `offsets` were asked for.
        self.goes_on = False

    @property
    def is_another(self) -> bool:
        """Whether the topic is archived, but is another one by now; known once `offsets` were asked for."""
        return bool(self._archived) and not self.goes_on

    async def offsets(self, since: datetime | None = None) -> dict[int, range]:
        """Return the offsets of each partition, as if the topic still held what is archived of it.

        PermanentError: see History; or the topic lost records before they were archived (`gaps`). A topic that is
        archived, and that the broker does not have any more, holds none.
        """
        try:
            held = await super().offsets()
        except PermanentError as error:
            if error.code == ErrorCode.UNKNOWN_TOPIC and self._archived:
                return {}
            raise
        self.goes_on = await self._find_whether_it_goes_on(held)
        spans = held if since is None else await super().offsets(since)
        if not self.goes_on:
            return spans
        return {
            number: range(min(span.start, self._archived[number][0]), span.stop) if number in self._archived else span
            for number, span in spans.items()
        }

    async def read(self, offsets: Mapping[int, range]) -> AsyncGenerator[list[Record]]:
        """Yield all that is archived of topics that were before, then the records at these offsets; as History does."""
        for listed in self._parts.listed:
            if bare_name(self.topic) not in listed.topics:
                continue
            is_own = self.goes_on and listed.incarnation == self._parts.incarnation
            async for records in self._parts.read(listed, self.topic):
                if is_own:
                    yield [record for record in records if record.offset in offsets.get(record.partition, ())]
                else:
                    yield records
        ends = {number: last + 1 for number, (_, last, _) in self._archived.items()} if self.goes_on else {}
        rest = {n: range(max(span.start, ends.get(n, 0)), span.stop) for n, span in offsets.items()}
        async for records in super().read(rest):
            yield records

    async def _find_whether_it_goes_on(self, held: Mapping[int, range]) -> bool:
        ends = {number: held.get(number, range(0)) for number in self._archived}
        if not ends or any(last >= ends[number].stop for number, (_, last, _) in self._archived.items()):
            return False
        number, (_, last, listed) = max(self._archived.items(), key=lambda each: each[1][2].number)
        if last in ends[number] and await self._find_archived(listed, number, last) != await self._find(number, last):
            return False
        for number, (_, last, _) in self._archived.items():
            if last + 1 < ends[number].start:
                raise PermanentError(
                    f"{self.topic}/{number} does not hold the offsets {last + 1} to {ends[number].start - 1} any more, "
                    f"and the archive {self._parts.archive.place} ends before them",
                    code=ErrorCode.GAPS,
                )
        return True

    async def _find(self, partition: int, offset: int) -> Record | None:
        async for records in super().read({partition: range(offset, offset + 1)}):
            if records:
                return records[0]
        return None

    async def _find_archived(self, listed: ListedPart, partition: int, offset: int) -> Record | None:
        async for records in self._parts.read(listed, self.topic):
            for record in records:
                if (record.partition, record.offset) == (partition, offset):
                    return record
        return None
