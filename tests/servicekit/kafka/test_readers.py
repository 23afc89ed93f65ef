"""How far a whole group has come, whoever asks, and whichever of its members reads what."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from subscribing import TOPIC, Handler, body, subscribed
from support.fakes import until

from servicekit.errors import DoubtfulError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Readers, _is_read
from servicekit.kafka.subscription import read_progress


@pytest.fixture
async def readers(place) -> AsyncIterator[Readers]:
    asked = Readers(KafkaAccess(place.kafka), {place.topic: place.group})
    yield asked
    await asked.close()


@contextlib.asynccontextmanager
async def reading(place, handler) -> AsyncIterator[None]:
    async with subscribed(place, handler) as subscription:
        watching = asyncio.create_task(subscription.watch())
        await until(lambda: subscription.consumer().assignment())
        yield
        watching.cancel()


async def have_read(readers: Readers, ends) -> None:
    async with asyncio.timeout(20):
        while not await readers.have_read(ends):  # noqa: ASYNC110 - only the broker knows
            await asyncio.sleep(0.1)


async def test_what_another_member_has_not_handled_is_not_read(place, handler, readers):
    other = Handler()
    for each in (handler, other):
        each.gate.clear()
    async with reading(place, handler), reading(place, other):
        await have_read(readers, await readers.find_ends())
        for number in range(8):
            await place.put(body("a"), partition=number)
        ends = await readers.find_ends()
        await until(lambda: handler.tried and other.tried)
        handler.gate.set()
        await until(lambda: len(handler.seen) == 4)
        assert not await readers.have_read(ends)
        other.gate.set()
        await have_read(readers, ends)
        assert len(other.seen) == 4


async def test_how_a_group_stands_is_told_by_member_and_partition(place, handler, readers):
    """A stranger's member looks as ours do, but for the id that it has."""
    (before,) = await readers.describe()
    assert (before.name, before.topic, before.members) == (place.group, place.topic, [])
    handler.gate.clear()
    async with subscribed(place, handler) as subscription:
        await until(lambda: subscription.consumer().assignment())
        await place.put(body("a"), partition=5)
        await until(lambda: handler.tried)
        (group,) = await readers.describe()
        member_id = subscription.member_id
        handler.gate.set()
    ((id_, client, host, partitions),) = group.members
    assert (id_, client) == (member_id, "signoff-test")
    assert (host.endswith("127.0.0.1"), partitions) == (True, 8)
    read, end = group.progress[TopicPartition(place.topic, 5)]
    assert end - read == 1


async def test_the_first_question_sleeps_for_no_topic(readers, caplog):
    """The first deadline of a jobstore acted 0.35 s late: aiokafka slept 100 ms for each topic it did not know."""
    caplog.set_level(logging.DEBUG, "aiokafka.consumer.fetcher")
    assert await readers.find_ends()
    assert "unknown for fetching offset" not in caplog.text


async def test_nobody_reads_where_no_member_is(place, handler, readers):
    await place.put(body("a"))
    ends = await readers.find_ends()
    assert not await readers.have_read(ends)
    async with reading(place, handler):
        await have_read(readers, ends)


async def test_a_record_that_is_tried_again_beside_the_others_holds_nothing_up(place, handler, readers):
    handler.answers["bad"] = DoubtfulError("a bug", code="database_error")
    async with reading(place, handler):
        await place.put(body("bad"), body("b"))
        await have_read(readers, await readers.find_ends())
        assert await place.uncommitted() == 2


async def test_a_transaction_that_strangers_began_and_gave_up_holds_nothing_up(place, handler, readers):
    async with reading(place, handler):
        await until(lambda: handler.tried == 0)
        strange = AIOKafkaProducer(bootstrap_servers=place.kafka, transactional_id=place.group)
        async with strange:
            await strange.begin_transaction()
            await strange.send_and_wait(TOPIC, body("a"), partition=3)
            await until(lambda: handler.seen == ["a"])
            await strange.abort_transaction()  # whose marker no reader is given
        await have_read(readers, await readers.find_ends())


async def test_what_an_older_version_has_committed_counts(place, readers):
    await place.put(body("a"))
    ends = await readers.find_ends()
    consumer = AIOKafkaConsumer(bootstrap_servers=place.kafka, group_id=place.group, enable_auto_commit=False)
    async with consumer as older:  # which else would commit, as it ends, from where it would have read
        older.assign(list(ends))
        await older.commit(ends)  # of all partitions: other tests write to the topic, too
    assert await readers.have_read(ends)


@pytest.mark.parametrize(
    ("end", "begin", "now", "read", "is_read"),
    [
        (5, 0, 9, 4, False),
        (5, 0, 9, 5, True),
        (5, 5, 5, 0, True),  # all of it is too old, and deleted
        (5, 0, 5, 100, False),  # the topic was begun again
        (0, 0, 0, 100, True),
    ],
)
def test_a_partition_is_read_up_to_an_end(end: int, begin: int, now: int, read: int, is_read: bool) -> None:
    assert _is_read(end, begin, now, read) is is_read


def test_progress_is_what_the_metadata_says_if_it_says_anything() -> None:
    assert [read_progress(3, words) for words in ("", "x", "7", "²", "2")] == [3, 3, 7, 3, 3]


async def test_a_broker_that_is_away_is_waited_for() -> None:
    readers = Readers(KafkaAccess("127.0.0.1:1"), {TOPIC: "any"})
    with pytest.raises(TransientError):
        await readers.find_ends()
    await readers.close()
