"""An archive and a topic are read as one stream, on a real broker, also where the topic is another one by now."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from support.archived import make_part
from support.jobstore.signed_facts import make_keys
from support.kafka.topics import Place

from servicekit.archive.history import ArchivedHistory, ArchivedParts
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive
from servicekit.errors import PermanentError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics, wait_for_topics
from servicekit.kafka.history import History, Record

TOPIC, KEYS = "cancel-requested", make_keys("a")


class Kept:
    """A partition that nothing else writes, and an archive of it."""

    def __init__(self, kafka: str, archive: Archive, begin: int) -> None:
        self.kafka, self.archive, self.begin = kafka, archive, begin
        self.place = Place(kafka, TOPIC)

    async def put(self, *values: bytes) -> None:
        await self.place.put(*values, partition=PARTITION)

    async def held(self) -> list[Record]:
        async with History(KafkaAccess(self.kafka), TOPIC) as history:
            span = (await history.offsets())[PARTITION]
            offsets = {PARTITION: range(max(span.start, self.begin), span.stop)}
            return [record async for records in history.read(offsets) for record in records]

    async def write(self, records: list[Record], **fields: object) -> None:
        """Archive records as the next part."""
        numbers = await self.archive.list_numbers()
        before = await self.archive.read_part(numbers[-1]) if numbers else None
        assert await self.archive.write(*make_part(records, before, **fields))

    async def read(self, published_seq: int = 0, start: int = 0) -> tuple[bool, list[tuple[int, bytes | None]]]:
        """Whether the topic goes on from the archive, and what is read of the partition."""
        parts = await ArchivedParts.load(self.archive, published_seq)
        async with ArchivedHistory(KafkaAccess(self.kafka), TOPIC, parts) as history:
            span = (await history.offsets())[PARTITION]
            offsets = {PARTITION: range(max(span.start, start, 0 if history.goes_on else self.begin), span.stop)}
            records = [record async for records in history.read(offsets) for record in records]
            return history.goes_on, [(record.offset - self.begin, record.value) for record in records]

    async def delete(self, before: int) -> None:
        """Delete the records in front of an offset."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(TOPIC, PARTITION): RecordsToDelete(self.begin + before)})
        finally:
            await admin.close()


PARTITION = 3


@pytest.fixture(scope="module")
async def broker(kafka: str) -> str:
    await ensure_topics(KafkaAccess(kafka), 1)
    await wait_for_topics(KafkaAccess(kafka), "jobstore")
    return kafka


@pytest.fixture
async def kept(broker, tmp_path) -> AsyncIterator[Kept]:
    archive = Archive(Objects.open(str(tmp_path), creates=True), KEYS)
    async with History(KafkaAccess(broker), TOPIC) as history:
        begin = (await history.offsets())[PARTITION].stop
    return Kept(broker, archive, begin)


ALL = [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]


async def test_an_archive_and_what_the_topic_has_behind_it_are_one_stream(kept):
    await kept.put(b"a", b"b", b"c")
    records = await kept.held()
    await kept.write(records[:1])
    await kept.write(records[1:2])
    await kept.put(b"d")

    assert await kept.read() == (True, ALL)
    assert await kept.read(start=kept.begin + 1) == (True, ALL[1:])
    await kept.delete(1)
    assert await kept.read() == (True, ALL)
    await kept.delete(2)
    assert await kept.read() == (True, ALL)


async def test_records_that_are_neither_archived_nor_held_are_named(kept):
    await kept.put(b"a", b"b", b"c")
    await kept.write((await kept.held())[:1])
    await kept.delete(2)

    with pytest.raises(
        PermanentError, match=rf"cancel-requested/3 does not hold the offsets {kept.begin + 1} to"
    ) as caught:
        await kept.read()
    assert caught.value.code == "gaps"


async def test_another_topic_is_read_whole_behind_the_archive(kept):
    await kept.put(b"a", b"b")
    (a, b) = await kept.held()
    b.value = b"of a broker that came back empty"
    await kept.write([a, b])

    assert await kept.read() == (False, [(0, b"a"), (1, b.value), (0, b"a"), (1, b"b")])


async def test_a_topic_that_ends_in_front_of_the_archives_end_is_another_one(kept):
    await kept.put(b"a", b"b")
    (a, b) = await kept.held()
    b.offset += 5
    await kept.write([a, b])

    assert await kept.read() == (False, [(0, b"a"), (6, b"b"), (0, b"a"), (1, b"b")])


async def test_incarnations_before_come_first(kept):
    await kept.put(b"a", b"b")
    records = await kept.held()
    await kept.write(records)
    await kept.write(records[:1], incarnation=UUID(int=8))

    assert await kept.read() == (True, [(0, b"a"), (1, b"b"), (0, b"a"), (1, b"b")])


async def test_parts_of_facts_that_are_known_are_passed_over(kept):
    await kept.put(b"a", b"b")
    a, b = await kept.held()
    await kept.write([a], last_seq=7)
    await kept.write([b], last_seq=9)

    assert await kept.read(7) == (True, ALL[1:2])
    assert await kept.read(6) == (True, ALL[:2])


async def test_without_parts_the_topic_is_read(kept):
    await kept.put(b"a")

    assert await kept.read() == (False, ALL[:1])
