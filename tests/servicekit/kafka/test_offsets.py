"""Offsets are committed behind the work: seldom, never past what is not handled, and to the last when it stops."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError
from subscribing import Handler, body, subscribed
from support.fakes import until
from support.kafka.topics import count_calls, count_requests

from servicekit.errors import DoubtfulError
from servicekit.kafka.subscription import COMMIT_INTERVAL_S, HandledOffsets

PARTITION = TopicPartition("t", 0)


class FakeConsumer:
    """Remembers what is committed, of one partition; out of reach while `away`."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, tuple[int, str]]] = []
        self.assigned = {PARTITION}
        self.away = False
        self._subscription = SimpleNamespace(subscription=None, _fetch_count=0)

    def assignment(self):
        return self.assigned

    async def commit(self, offsets):
        if self.away:
            raise KafkaConnectionError
        self.commits.append(offsets)


@pytest.fixture
def consumer() -> FakeConsumer:
    return FakeConsumer()


def record(offset: int, partition: int = 0) -> ConsumerRecord:
    return ConsumerRecord("t", partition, offset, 0, 0, None, b"", None, 0, 1, ())


async def test_only_what_changed_is_committed_and_nothing_behind_a_parked_record(consumer):
    parked = {("t", 0, 3)}
    offsets = HandledOffsets(lambda: consumer, parked)
    offsets.note_handled([record(1), record(3), record(5)], offsets.assignment)
    await offsets.commit()
    await offsets.commit()
    parked.clear()
    await offsets.commit()
    assert consumer.commits == [{PARTITION: (3, "6")}, {PARTITION: (6, "6")}]


async def test_of_a_lost_partition_nothing_is_committed_not_even_once_it_is_back(consumer):
    offsets = HandledOffsets(lambda: consumer, ())
    offsets.note_handled([record(1), record(7, partition=1)], before := offsets.assignment)
    await offsets.on_partitions_revoked(consumer.assigned)
    assert consumer.commits == [{PARTITION: (2, "2")}]
    consumer.assigned = {PARTITION, TopicPartition("t", 1)}
    await offsets.on_partitions_assigned(consumer.assigned)
    await offsets.commit()
    assert len(consumer.commits) == 1
    offsets.note_handled([record(9)], before)  # a batch that was in its handler all the while
    await offsets.commit()
    assert len(consumer.commits) == 1
    offsets.note_handled([record(1)], offsets.assignment)  # the topic was begun again, or the last commit was lost
    await offsets.commit()
    assert consumer.commits[1:] == [{PARTITION: (2, "2")}]


async def test_what_could_not_be_committed_is_committed_later(consumer):
    offsets = HandledOffsets(lambda: consumer, ())
    consumer.away = True
    committing = asyncio.create_task(offsets.commit_regularly())
    offsets.note_handled([record(1)], offsets.assignment)
    await asyncio.wait_for(offsets.commit(), 1)
    consumer.away = False
    await until(lambda: consumer.commits == [{PARTITION: (2, "2")}])
    committing.cancel()


async def test_many_batches_share_a_commit_and_no_batch_waits_for_one(place, handler):
    async with subscribed(place, handler) as subscription:
        await place.put(body("a"))
        await until(lambda: handler.seen)
        requests, started = count_requests(subscription.consumer()), time.monotonic()
        watching = asyncio.create_task(subscription.watch())
        for number in range(10):
            await place.put(body(f"job-{number}"))
            await until(lambda: len(handler.seen) == number + 2)  # noqa: B023 - waits within the loop
        assert requests["OffsetCommitRequest"] <= (time.monotonic() - started) / COMMIT_INTERVAL_S
        await until(lambda: requests["OffsetCommitRequest"])
        watching.cancel()
    assert await place.uncommitted() == 0


async def test_a_commit_that_hangs_delays_nothing(place, handler):
    async with subscribed(place, handler) as subscription:
        watching = asyncio.create_task(subscription.watch())
        await place.put(body("a"))
        await until(lambda: handler.seen)
        consumer, hanging = subscription.consumer(), asyncio.Event()
        commit, consumer.commit = consumer.commit, lambda _: hanging.wait()
        commits = count_calls(consumer, "commit")
        await until(lambda: commits)
        await place.put(body("b"))
        await until(lambda: handler.seen == ["a", "b"])
        consumer.commit = commit
        watching.cancel()
    assert await place.uncommitted() == 0


async def test_a_bug_of_committing_ends_the_service(place, handler):
    async with subscribed(place, handler, dead_after_s=0.3) as subscription:
        watching = asyncio.create_task(subscription.watch())
        await place.put(body("a"))
        await until(lambda: handler.seen)
        consumer = subscription.consumer()
        commit, consumer.commit = consumer.commit, lambda _: 1 / 0
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(watching, 10)
        consumer.commit = commit


async def test_before_another_consumer_goes_on_what_was_handled_is_committed(place, handler):
    other = Handler()
    async with subscribed(place, handler) as first:
        await place.put(body("a"), body("b"))
        await until(lambda: len(handler.seen) == 2)
        assert await place.uncommitted() == 2, "nothing commits regularly here"
        async with subscribed(place, other) as second:
            await until(lambda: second.consumer().assignment())
            assert await place.uncommitted() == 0
            for number in range(8):
                await place.put(body("c"), partition=number)
            await until(lambda: len(handler.seen) + len(other.seen) == 10)
    assert other.seen == ["c"] * 4
    assert first.consumer() is None


async def test_after_a_crash_what_was_handled_since_the_last_commit_comes_again_and_what_was_parked(place, handler):
    handler.answers["b"] = DoubtfulError("a bug", code="database_error")
    await place.put(body("a"), body("b"), body("c"))
    async with subscribed(place, handler) as crashing:
        await until(lambda: handler.seen.count("b") > 1)
        crashing.consumer().commit = lambda _: asyncio.sleep(0)  # it dies before
    assert await place.uncommitted() == 3
    again = Handler()
    async with subscribed(place, again):
        await until(lambda: again.seen == ["a", "b", "c"])
    assert await place.uncommitted() == 0
