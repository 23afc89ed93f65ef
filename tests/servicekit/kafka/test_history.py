"""The history of a topic, read on a real broker by offsets and times, beside whatever else it holds."""

from datetime import UTC, datetime, timedelta

import pytest
from support.kafka.topics import Place

from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics, wait_for_topics
from servicekit.kafka.history import History

TOPIC = "cancel-requested"


@pytest.fixture(scope="module")
async def broker(kafka: str) -> str:
    await ensure_topics(KafkaAccess(kafka), 1)
    await wait_for_topics(KafkaAccess(kafka), "jobstore")
    return kafka


async def read(history: History, offsets: dict[int, range]) -> list[bytes | None]:
    return [record.value async for records in history.read(offsets) for record in records]


async def test_records_are_read_by_their_offsets_and_no_further(broker):
    place = await Place.now(broker, TOPIC)
    bodies = [b"%d" % number for number in range(1200)]
    await place.put(*bodies, b"x" * 3_000_000)
    async with History(KafkaAccess(broker), TOPIC) as history:
        offsets = await history.offsets()
        await place.put(b"later")
        found = [r async for records in history.read(offsets) for r in records][-1201:]
        by_partition = {}
        for record in found:
            by_partition.setdefault(record.partition, []).append(record)
        for number, records in by_partition.items():
            assert [r.offset for r in records] == sorted(r.offset for r in records)
            assert records[-1].offset < offsets[number].stop
        last = found[-1]
        assert await read(history, {last.partition: range(last.offset, last.offset + 1)}) == [last.value]
        assert await read(history, {0: range(offsets[0].stop, offsets[0].stop)}) == []
    assert b"later" not in {record.value for record in found}


async def test_records_are_read_from_a_time_on(broker):
    place = await Place.now(broker, TOPIC)
    await place.put(b"old")
    began = datetime.now(UTC) + timedelta(seconds=0.01)
    async with History(KafkaAccess(broker), TOPIC) as history:
        while datetime.now(UTC) < began:
            pass
        await place.put(b"new")
        assert await read(history, await history.offsets(began)) == [b"new"]
        assert await read(history, await history.offsets(began + timedelta(days=1))) == []


async def test_a_topic_that_is_not_there_and_a_broker_that_is_not_are_told_apart(broker):
    async with History(KafkaAccess(broker), "no-such-topic") as history:
        with pytest.raises(PermanentError, match="no topic"):
            await history.offsets()
    with pytest.raises(TransientError):
        async with History(KafkaAccess("127.0.0.1:1"), TOPIC, silence_s=1.0):
            pass
