"""Batches of a stranger on a real broker: they stop no partition, take little memory, and leave little behind."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from subscribing import DLQ, TOPIC, Handler, body, subscribed
from support.fakes import until
from support.kafka.batches import GZIP, LZ4, MIB, ZSTD, batch, bomb, poison, produce, record, tiny
from support.kafka.topics import Place

from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import History, Unread, UnreadOffsets

#: What a process of Signoff may take beside what it takes when idle, in Compose.
GROWTH_MAX = 300 * MIB


class Memory:
    """The memory of this process, and the most since a test began."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    @staticmethod
    def _read(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

    def grown(self) -> int:
        return self._read("VmHWM") - self._before


@pytest.fixture
def memory() -> Iterator[Memory]:
    return Memory()


async def test_batches_that_nobody_can_read_stop_no_partition_and_leave_one_dead_letter(place, dlq, handler):
    bad = [poison()] * 8
    assert await produce(KafkaAccess(place.kafka), TOPIC, 0, *bad) == [0] * 8
    await place.put(body("after"), partition=0)
    async with subscribed(place, handler):
        await until(lambda: handler.seen == ["after"])
        (letter,) = await dlq.records(1)
    headers = dict(letter.headers)
    assert (headers["dlq-error-code"], headers["dlq-repeats"]) == (b"unreadable_batch", b"7")
    assert int(headers["dlq-last-offset"]) - int(headers["dlq-offset"]) == 7
    assert letter.value[61:] == bad[0][61:], "what follows the head of a batch, which the broker writes"
    assert await place.uncommitted() == 0


@pytest.mark.parametrize(
    "make",
    [lambda: batch(record(2**30)), lambda: bomb(512), lambda: bomb(512, GZIP), lambda: bomb(80, LZ4)],
    ids=["offset", "zstd", "gzip", "lz4"],
)
async def test_what_a_broker_takes_stops_no_partition_and_fills_no_memory(place, dlq, handler, memory, make):
    assert await produce(KafkaAccess(place.kafka), TOPIC, 0, make()) == [0]
    await place.put(body("after"), partition=0)
    async with subscribed(place, handler):
        await until(lambda: handler.seen == ["after"])
        (letter,) = await dlq.records(1)
    assert dict(letter.headers)["dlq-error-code"] == b"unreadable_batch"
    assert memory.grown() < GROWTH_MAX
    assert await place.uncommitted() == 0


async def test_large_batches_in_all_partitions_are_unpacked_one_after_another(place, handler, memory):
    large = bomb(60)
    for partition in range(8):
        await produce(KafkaAccess(place.kafka), TOPIC, partition, large, large)
        await place.put(body(f"job-{partition}"), partition=partition)
    async with subscribed(place, handler):
        await until(lambda: len(handler.seen) == 8, timeout_s=60)
    assert memory.grown() < GROWTH_MAX


def large(*jobs: str) -> bytes:
    """A small batch of large records, more than one poll returns."""
    records = [record(n, body(job) + b" " * 7 * MIB) for n, job in enumerate(jobs)]
    return batch(b"".join(records), len(jobs), codec=ZSTD)


async def test_of_all_consumers_of_a_process_one_reads_a_large_batch_and_delays_nothing_small(place, handler):
    other, other_handler = await Place.now(place.kafka, TOPIC), Handler()
    handler.gate.clear()
    await produce(KafkaAccess(place.kafka), TOPIC, 0, large("a", "b", "c", "d"))
    async with subscribed(place, handler, payload_max_bytes=8 * MIB):
        await until(lambda: handler.tried)  # not with all of it
        await place.put(body("beside"), partition=1)
        async with subscribed(other, other_handler, payload_max_bytes=8 * MIB):
            await until(lambda: other_handler.seen == ["beside"])
            handler.gate.set()
            await until(lambda: sorted(handler.seen) == sorted(other_handler.seen) == ["a", "b", "beside", "c", "d"])


async def test_large_batches_of_several_consumers_take_the_memory_of_one(place, memory):
    places, handlers = [await Place.now(place.kafka, TOPIC) for _ in range(3)], [Handler() for _ in range(3)]
    for partition in range(4):
        await produce(KafkaAccess(place.kafka), TOPIC, partition, large(*"abcdefgh"))
    async with AsyncExitStack() as stack:
        for one, handler in zip(places, handlers, strict=True):
            await stack.enter_async_context(subscribed(one, handler, payload_max_bytes=8 * MIB))
        await until(lambda: all(len(handler.seen) == 32 for handler in handlers), timeout_s=60)
    assert memory.grown() < GROWTH_MAX


async def test_very_many_records_that_mean_nothing_are_passed_while_others_have_their_turn(place, dlq, handler, caplog):
    await produce(KafkaAccess(place.kafka), TOPIC, 0, tiny(200_000))
    await place.put(body("behind"), partition=0)
    await place.put(body("beside"), partition=1)
    async with subscribed(place, handler), asyncio.timeout(30):
        await until(lambda: "beside" in handler.seen)
        assert "behind" not in handler.seen
        await until(lambda: "behind" in handler.seen, timeout_s=20)
        (letter,) = await dlq.records(1)
    assert dict(letter.headers)["dlq-repeats"] == b"199999"
    assert len([line for line in caplog.records if line.message == "dead letter"]) == 1
    assert await place.uncommitted() == 0


async def test_a_history_tells_which_batches_it_passed_by(broker):
    place = await Place.now(broker, DLQ)
    await place.put(b"before")
    await produce(KafkaAccess(broker), DLQ, 0, poison(), poison())
    await place.put(b"after")
    async with History(KafkaAccess(broker), DLQ) as history:
        offsets = await history.offsets()
        span = range(offsets[0].stop - 4, offsets[0].stop)
        found = [r.value async for records in history.read({0: span}) for r in records]
    assert found == [b"before", b"after"]
    assert history.unread == Unread(2, [UnreadOffsets(DLQ, 0, span[1], span[2])])
