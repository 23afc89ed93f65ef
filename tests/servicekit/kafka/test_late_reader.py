"""A subscription that looks late: at what is old enough, at once where it is behind, and it stops promptly."""

import asyncio
import time

from subscribing import body, subscribed
from support.fakes import until

from servicekit.kafka.delays import BEHIND_RECORDS
from servicekit.kafka.subscription import count_unread

DELAY_S = 1.0


async def test_records_are_looked_at_once_they_are_old_enough(place, handler):
    async with subscribed(place, handler, delay_s=DELAY_S) as subscription:
        await until(lambda: count_unread(subscription.consumer()) == 0)
        written = time.time()
        await place.put(body("a"), body("b"))
        await until(lambda: handler.seen)
        assert time.time() - written >= DELAY_S
    assert handler.seen == ["a", "b"]
    assert await place.uncommitted() == 0


async def test_a_reader_that_is_behind_waits_for_nothing(place, handler):
    await place.put(body("old"), timestamp_ms=int((time.time() - 60) * 1000))
    await place.put(body("new"))
    async with subscribed(place, handler, delay_s=30.0):
        await until(lambda: handler.seen == ["old", "new"])


async def test_whoever_writes_a_time_to_come_delays_nobody_for_longer(place, handler):
    await place.put(body("a"), timestamp_ms=int((time.time() + 3600) * 1000))
    async with subscribed(place, handler, delay_s=DELAY_S):
        await until(lambda: handler.seen == ["a"], timeout_s=DELAY_S + 5)


async def test_whoever_writes_many_times_to_come_does_not_make_a_reader_fall_behind(place, handler):
    """Waiting for each batch it read 67 records a second, and was taken to have caught up."""
    await place.put(*[body("a")] * 1_300, timestamp_ms=int((time.time() + 3600) * 1000))
    handler.gate.clear()
    async with subscribed(place, handler, delay_s=30.0):
        await until(lambda: handler.tried)
        handler.gate.set()
        await until(lambda: len(handler.seen) >= 1_300 - BEHIND_RECORDS - 200)


async def test_it_stops_while_it_waits_and_the_next_process_reads_what_waited(place, handler):
    async with subscribed(place, handler, delay_s=30.0) as subscription:
        await until(lambda: count_unread(subscription.consumer()) == 0)
        await place.put(body("a"))
        await until(lambda: count_unread(subscription.consumer()) == 0)
        started = time.monotonic()
    assert time.monotonic() - started < 3
    assert handler.seen == []
    assert await place.uncommitted() == 1
    async with subscribed(place, handler):
        await until(lambda: handler.seen == ["a"])


async def test_one_that_is_told_to_hurry_looks_at_once_and_commits_at_once(place, handler, monkeypatch):
    """Somebody waits for what stands in the topic; what comes later waits again."""
    monkeypatch.setattr("servicekit.kafka.subscription.COMMIT_INTERVAL_S", 60.0)
    async with subscribed(place, handler, delay_s=30.0) as subscription:
        committing = asyncio.create_task(subscription.watch())
        await until(lambda: count_unread(subscription.consumer()) == 0)
        await place.put(body("a"))
        await until(lambda: count_unread(subscription.consumer()) == 0)
        assert handler.seen == []
        async with asyncio.timeout(10):
            while await place.uncommitted():
                subscription.hurry()
                await asyncio.sleep(0.05)
        assert handler.seen == ["a"]
        await place.put(body("b"))
        await until(lambda: count_unread(subscription.consumer()) == 0)
        assert handler.seen == ["a"]
        committing.cancel()
